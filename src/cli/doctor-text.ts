/** How the findings of `doctor` read: what fails first, what is well in one line. */
import type { DoctorFinding } from '../api/contract/looks.ts';
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

/** `all`: what is well line by line, too. */
export function doctorLines(nodes: readonly NodeFindings[], all: boolean, paint: Paint): readonly string[] {
  return [...nodes.flatMap((one) => nodeLines(one, all, paint)), totalLine(nodes, paint)];
}

function nodeLines({ node, findings }: NodeFindings, all: boolean, paint: Paint): readonly string[] {
  const of = (verdict: DoctorFinding['verdict']) => findings.filter((finding) => finding.verdict === verdict);
  const well = of('ok');
  return [
    paint('bold', node ?? 'this machine'),
    ...[...of('failure'), ...of('warning'), ...(all ? well : [])].flatMap((finding) => findingLines(finding, paint)),
    ...(all || well.length === 0 ? [] : [wellLine(well, paint)]),
  ];
}

function wellLine(findings: readonly DoctorFinding[], paint: Paint): string {
  const checks = [...new Set(findings.map(({ check }) => check))].join(', ');
  return `  ${paint('green', '✓')} ${countText(findings.length, 'check')} passed: ${checks}`;
}

function findingLines({ check, verdict, text, hint }: DoctorFinding, paint: Paint): readonly string[] {
  const mark = { ok: paint('green', '✓'), warning: paint('yellow', '!'), failure: paint('red', '✗') }[verdict];
  return [`  ${mark} ${check}: ${text}`, ...(hint === null ? [] : [`    -> ${hint}`])];
}

function totalLine(all: readonly NodeFindings[], paint: Paint): string {
  const findings = all.flatMap((one) => one.findings);
  const count = (verdict: DoctorFinding['verdict']): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  const failures = count('failure');
  const warnings = count('warning');
  if (failures + warnings === 0) return paint('green', `Nothing found; ${countText(findings.length, 'check')} passed.`);
  return paint(
    failures > 0 ? 'red' : 'yellow',
    `${countText(failures, 'failure')}, ${countText(warnings, 'warning')}.`,
  );
}
