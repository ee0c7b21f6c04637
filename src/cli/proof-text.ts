/** How a proof of the backups reads for people. */
import type { BackupRun } from '../core/backup-run.ts';
import type { ProofResult, Proven } from '../core/backups/proof.ts';
import { ageText, bytesText, spanText } from './words.ts';

export function provenText({ at, tookMs }: Proven, nowMs: number): string {
  return `restore proven ${ageText(nowMs - Date.parse(at))} ago, ${spanText(tookMs)}`;
}

export function proofLines({ id, node, proof }: BackupRun): readonly string[] {
  const result = proof?.result ?? null;
  if (result === null) return [];
  return [`${id}: ${result.moment} was restored on ${node}, from ${result.label}`, ...checkLines(result)];
}

function checkLines({ checks, failedIn, findings, walBytes }: ProofResult): readonly string[] {
  const texts = checks.map(({ ms, seen, step }) => {
    const said = step === 'recover' && walBytes !== null ? `${bytesText(walBytes)} of WAL` : seen;
    return `  \u2713 ${step} ${spanText(ms)}: ${said}`;
  });
  return [...texts, ...(failedIn === null ? [] : findings.map((finding) => `  \u2717 ${failedIn}: ${finding}`))];
}
