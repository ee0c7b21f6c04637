/**
 * Reads what `pgbackrest verify --output=text --verbose` says.
 *
 * Its exit code says nothing: 2.45 ends with 0 also when objects are damaged, and when it could read nothing at all.
 */
import type { Verification } from '../ports/repository.ts';

/** `null`: it says nothing of objects, since it could not read what is in the repository. */
export function parseVerification(text: string): Verification | null {
  const lines = text.split('\n');
  const status = lines.map((line) => /^status: (\w+)$/.exec(line)?.[1]).find((word) => word !== undefined);
  if (status === undefined || lines.some((line) => /^\s+No usable (backup|archive)\.info file/.test(line))) return null;
  const findings: string[] = [];
  let about = '';
  for (const line of lines) {
    // Then it has looked at no WAL at all.
    if (/^ {2}archiveId: none found$/.test(line)) {
      findings.push('archive: none found');
      continue;
    }
    const [, named, counts] = /^ {2}((?:archiveId|backup): [^,]+)(, .*)?$/.exec(line) ?? [];
    if (named !== undefined) {
      about = named.replace('archiveId:', 'archive');
      const invalid = /, status: (?!valid)(\w[\w-]*)/.exec(counts ?? '')?.[1];
      if (invalid !== undefined && invalid !== 'in-progress') findings.push(`${about.replace(':', '')}: ${invalid}`);
      continue;
    }
    const found = line
      .trim()
      .split(', ')
      .filter((count) => /: [1-9]\d*$/.test(count) && line.startsWith('    '));
    if (found.length > 0) findings.push(`${about.replace(':', '')}: ${found.join(', ')}`);
  }
  return { isSound: status === 'ok' && findings.length === 0, findings };
}
