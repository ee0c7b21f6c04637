/**
 * How the one real server is made to say that it is another: by its own words, exchanged in the text of a statement. Pure.
 *
 * Invariant: a primary of the first timeline is not disguised at all; columns keep their names and types. Values that
 * travel beside a statement are never touched.
 */
import { selfQuery } from '../positions/position.ts';

export interface Face {
  readonly isStandby: boolean;
  /** Where its replay stands still; `null`: it has everything. Such as `0/16B3748`. */
  readonly standsAt: string | null;
  /** Failovers so far: timelines beyond the real one. */
  readonly failovers: number;
}

const insertLsn = 'pg_current_wal_insert_lsn()';
const walFile = `pg_walfile_name(${insertLsn})`;
const timeline = `('x' || substr(${walFile}, 1, 8))::bit(32)::int`;

export function disguised(text: string, face: Face): string {
  if (!text.includes('pg_')) return text;
  const { failovers, isStandby, standsAt } = face;
  if (!isStandby && failovers === 0) return text;
  const replayed = standsAt === null ? insertLsn : `'${standsAt}'::pg_lsn`;
  const marker = '\u0000self\u0000';
  let said = text.replaceAll(selfQuery, marker);
  if (isStandby) {
    said = said
      .replaceAll('pg_is_in_recovery()', '(SELECT true AS pg_is_in_recovery)')
      .replaceAll('pg_last_wal_replay_lsn()', `(SELECT ${replayed} AS pg_last_wal_replay_lsn)`);
  }
  if (failovers > 0) said = said.replaceAll(walFile, walFileAfter(failovers));
  return said.replaceAll(marker, selfAs(isStandby, isStandby ? replayed : insertLsn, failovers));
}

function selfAs(isStandby: boolean, lsn: string, failovers: number): string {
  return `SELECT ${isStandby} AS standby, (${lsn})::text AS lsn, ${timeline} + ${failovers} AS timeline`;
}

function walFileAfter(failovers: number): string {
  const digits = `lpad(upper(to_hex(${timeline} + ${failovers})), 8, '0')`;
  return `(SELECT ${digits} || substr(${walFile}, 9) AS pg_walfile_name)`;
}
