/**
 * How old the newest commit in the repository is: what would be lost if every machine were. Measured by heartbeats: commits that
 * are made every few seconds for that purpose, each with its time and the place in the WAL behind it.
 *
 * Invariant: never younger than the truth. A commit counts as archived when all WAL up to the place behind it is.
 */
import type { Lsn } from '../lsn.ts';
import type { Position } from '../timelines.ts';
import { isOnPath, type PathPart } from './timeline-path.ts';

export interface Heartbeat {
  /** When it was committed, at the latest, in ms since 1970, by the primary's clock. */
  readonly atMs: number;
  readonly timeline: number;
  /** Where its commit ended, or behind that. */
  readonly lsn: Lsn;
}

export interface ArchivedFacts {
  /** A few will do: one as old as the archive is behind, at least. */
  readonly heartbeats: readonly Heartbeat[];
  /** Where the archived WAL ends without a gap; `null`: nothing is archived, or it is not known. */
  readonly archived: Position | null;
  readonly path: readonly PathPart[];
}

/** One each five seconds: ten minutes of an archive that stands still, and then the oldest give way to every other. */
const keptAtMost = 128;

/** With a new one. Thinned out where they would be too many: the newest and the oldest stay. */
export function withHeartbeat(
  marks: readonly Heartbeat[],
  mark: Heartbeat,
  atMost: number = keptAtMost,
): readonly Heartbeat[] {
  const all = [...marks, mark];
  if (all.length <= atMost) return all;
  return all.filter((_, index) => index % 2 === 0 || index >= all.length - 2);
}

/** The newest heartbeat that is in the repository; `null`: none of these is. */
export function newestArchived({ heartbeats, archived, path }: ArchivedFacts): Heartbeat | null {
  if (archived === null || !isOnPath(path, archived.timeline, archived.lsn)) return null;
  let newest: Heartbeat | null = null;
  for (const heartbeat of heartbeats) {
    const isThere = heartbeat.lsn <= archived.lsn && isOnPath(path, heartbeat.timeline, heartbeat.lsn);
    if (isThere && (newest === null || heartbeat.atMs > newest.atMs)) newest = heartbeat;
  }
  return newest;
}
