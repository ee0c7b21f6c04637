/**
 * How long each backup stays, for people: the program that removes them decides by itself, by the same rule.
 *
 * A full backup goes when the next full one is as old as declared, since until then it alone reaches back that far; what
 * builds on it goes with it.
 */
import type { BackupsSpec } from '../backups-spec.ts';
import type { RepositoryBackup } from '../repository.ts';
import { parseMoment } from './moments.ts';

const dayMs = 86_400_000;

/** By label, in ms since 1970; `null`: at least until there is another full backup. */
export function retention(
  { keepDays }: Pick<BackupsSpec, 'keepDays'>,
  backups: readonly RepositoryBackup[],
): ReadonlyMap<string, number | null> {
  const ends = backups
    .flatMap((backup) =>
      backup.kind === 'full' ? [{ label: backup.label, endMs: parseMoment(backup.finishedAt) ?? 0 }] : [],
    )
    .toSorted((a, b) => a.endMs - b.endMs);
  const ofFull = new Map(
    ends.map(({ label }, index): [string, number | null] => {
      const next = ends[index + 1];
      return [label, next === undefined ? null : next.endMs + keepDays * dayMs];
    }),
  );
  return new Map(backups.map((backup) => [backup.label, ofFull.get(fullOf(backups, backup)) ?? null]));
}

/** The full backup that it builds upon, in however many steps. */
export function fullOf(backups: readonly RepositoryBackup[], backup: RepositoryBackup): string {
  let at = backup;
  for (let steps = backups.length; at.prior !== null && steps > 0; steps -= 1) {
    const prior = backups.find(({ label }) => label === at.prior);
    if (prior === undefined) break;
    at = prior;
  }
  return at.label;
}
