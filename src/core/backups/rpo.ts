/**
 * How old the newest commit in the repository is: what would be lost if every machine were. Measured by heartbeats, rows that
 * are committed every few seconds and noted with their place in the WAL.
 */
import type { Lsn } from '../lsn.ts';
import type { Position } from '../timelines.ts';
import { isOnPath, type PathPart } from './timeline-path.ts';

export interface Heartbeat {
  /** When it was committed, in ms since 1970. */
  readonly atMs: number;
  readonly timeline: number;
  /** Where its commit ended. */
  readonly lsn: Lsn;
}

export interface RpoFacts {
  /** A few will do: one as old as the archive is behind, at least. */
  readonly heartbeats: readonly Heartbeat[];
  /** Where the archived WAL ends without a gap; `null`: nothing is archived, or it is not known. */
  readonly archived: Position | null;
  readonly path: readonly PathPart[];
  readonly nowMs: number;
}

/** The newest heartbeat that is in the repository; `null`: none of these is. */
export function newestArchived({ heartbeats, archived, path }: Omit<RpoFacts, 'nowMs'>): Heartbeat | null {
  if (archived === null || !isOnPath(path, archived.timeline, archived.lsn)) return null;
  let newest: Heartbeat | null = null;
  for (const heartbeat of heartbeats) {
    const isThere = heartbeat.lsn <= archived.lsn && isOnPath(path, heartbeat.timeline, heartbeat.lsn);
    if (isThere && (newest === null || heartbeat.atMs > newest.atMs)) newest = heartbeat;
  }
  return newest;
}

/** In ms; `null`: not known. */
export function rpo(facts: RpoFacts): number | null {
  const newest = newestArchived(facts);
  return newest === null ? null : Math.max(0, facts.nowMs - newest.atMs);
}
