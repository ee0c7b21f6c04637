/** How the findings of `doctor` read: what fails first, what is well in one line. */
import type { DoctorFinding } from '../api/contract.ts';
import { describeError, type UnderstudyError } from '../errors/understudy-error.ts';
import type { Paint } from './terminal.ts';
import { countText } from './words.ts';

export interface NodeFindings {
  /** `null`: this machine. */
  readonly node: string | null;
  readonly findings: readonly DoctorFinding[];
}

export function unreachableFinding(error: UnderstudyError): DoctorFinding {
  return { check: 'agent', verdict: 'failure', text: describeError(error), hint: error.hint };
}

export function doctorLines(all: readonly NodeFindings[], paint: Paint): readonly string[] {
  return [...all.flatMap((one) => nodeLines(one, paint)), totalLine(all, paint)];
}

function nodeLines({ node, findings }: NodeFindings, paint: Paint): readonly string[] {
  const byWeight = (['failure', 'warning', 'ok'] as const).flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict));
  return [paint('bold', node ?? 'this machine'), ...byWeight.flatMap((finding) => findingLines(finding, paint))];
}

function findingLines({ check, verdict, text, hint }: DoctorFinding, paint: Paint): readonly string[] {
  const mark = { ok: paint('green', '✓'), warning: paint('yellow', '!'), failure: paint('red', '✗') }[verdict];
  return [`  ${mark} ${check}: ${text}`, ...(hint === null ? [] : [`    -> ${hint}`])];
}

function totalLine(all: readonly NodeFindings[], paint: Paint): string {
  const findings = all.flatMap((one) => one.findings);
  const count = (verdict: DoctorFinding['verdict']): number => findings.filter((finding) => finding.verdict === verdict).length;
  const failures = count('failure');
  const warnings = count('warning');
  if (failures + warnings === 0) return paint('green', `Nothing found; ${countText(findings.length, 'check')} passed.`);
  return paint(failures > 0 ? 'red' : 'yellow', `${countText(failures, 'failure')}, ${countText(warnings, 'warning')}.`);
}
