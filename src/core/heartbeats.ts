/**
 * How old the newest commit is that is in the repository: measured by commits that are made for that purpose, each with its time
 * and the place in the WAL behind it.
 *
 * Invariant: never younger than the truth. A commit counts as archived when all WAL up to the place behind it is.
 */
import type { Lsn } from './lsn.ts';

export interface Heartbeat {
  /** When it was committed, at the latest; ISO 8601, by the primary's clock. */
  readonly at: string;
  readonly lsn: Lsn;
}

/** One each five seconds: ten minutes of an archive that stands still, and then the oldest give way to every other. */
const keptAtMost = 128;

/** With a new one. Thinned out where they would be too many: the newest and the oldest stay. */
export function withHeartbeat(marks: readonly Heartbeat[], mark: Heartbeat): readonly Heartbeat[] {
  const all = [...marks, mark];
  if (all.length <= keptAtMost) return all;
  return all.filter((_, index) => index % 2 === 0 || index >= all.length - 2);
}

/** The newest of which all WAL is archived; `null`: none. */
export function archivedHeartbeat(marks: readonly Heartbeat[], archivedTo: Lsn | null): Heartbeat | null {
  if (archivedTo === null) return null;
  return marks.findLast(({ lsn }) => lsn <= archivedTo) ?? null;
}
