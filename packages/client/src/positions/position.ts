/**
 * Where a session's last write ends, and what shows that a server has it.
 *
 * Invariant: positions of two timelines are never compared by number. Both have everything up to where they parted, and
 * where that was is not known here: what was written on another timeline is shown by the primary alone.
 */
import { type Lsn, parseLsn } from './lsn.ts';

export interface Position {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/**
 * What a server says of itself in one row. To be asked outside of a transaction, by any role.
 *
 * A primary names the timeline that it writes (the first 8 digits of its WAL file's name). A standby's role may not see
 * what it receives; its control file names a timeline once it has replayed into that and recorded it, which may be minutes
 * later and is never too early (documentation 9.28.7, pg_control_checkpoint and pg_control_recovery).
 */
export const selfQuery = `SELECT pg_is_in_recovery() AS standby,
 (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS lsn,
 CASE WHEN pg_is_in_recovery()
  THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) FROM pg_control_checkpoint() c, pg_control_recovery() r)
  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline`;

/** The same of a primary alone, at a fraction of the cost; a standby answers without a position. */
export const primaryQuery = `SELECT pg_is_in_recovery() AS standby,
 CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn()::text END AS lsn,
 CASE WHEN pg_is_in_recovery() THEN NULL
  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline`;

export interface Self {
  readonly role: 'primary' | 'replica';
  /** `null`: a standby that has replayed nothing yet. */
  readonly position: Position | null;
}

/** `null`: that is no answer to `selfQuery`. */
export function parseSelf(row: unknown): Self | null {
  if (typeof row !== 'object' || row === null || !('standby' in row) || typeof row.standby !== 'boolean') return null;
  const lsn = 'lsn' in row ? parseLsn(row.lsn) : null;
  const timeline = 'timeline' in row && typeof row.timeline === 'number' ? row.timeline : null;
  const position = lsn === null || timeline === null ? null : { timeline, lsn };
  return { role: row.standby ? 'replica' : 'primary', position };
}

/** Both are of one timeline, and `has` is not behind `wanted`. */
export function hasReached(has: Position, wanted: Position): boolean {
  return has.timeline === wanted.timeline && has.lsn >= wanted.lsn;
}

/** The later one. Of two timelines the higher: it began later. */
export function laterOf(a: Position | null, b: Position | null): Position | null {
  if (a === null || b === null) return a ?? b;
  if (a.timeline !== b.timeline) return a.timeline > b.timeline ? a : b;
  return a.lsn >= b.lsn ? a : b;
}
