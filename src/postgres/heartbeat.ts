/**
 * A commit each few seconds whose time is known: how far the archive is behind is measured by it, a restore is checked by it, and no
 * target of a recovery lies behind the last commit for long.
 */
import { z } from 'zod';
import type { Heartbeat } from '../core/backups/heartbeats.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { lsn } from './facts.ts';
import { type Session, type Statement, sqlState } from './session.ts';

export const heartbeatTable = 'understudy.heartbeat';
const undefinedTable = '42P01';
const undefinedSchema = '3F000';

const makeTable = `
  CREATE SCHEMA IF NOT EXISTS understudy;
  REVOKE ALL ON SCHEMA understudy FROM PUBLIC;
  CREATE TABLE IF NOT EXISTS ${heartbeatTable} (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one), at timestamptz NOT NULL)`;

/** Our sessions wait for no standby: it says what the archive has, not what they have. */
const beat = `
  INSERT INTO ${heartbeatTable} (at) VALUES (clock_timestamp()) ON CONFLICT (only_one) DO UPDATE SET at = excluded.at`;

const place: Statement<Heartbeat> = {
  row: z
    .object({ at: z.number(), lsn, timeline: z.string() })
    .transform(({ at, lsn, timeline }) => ({ atMs: at, lsn, timeline: Number.parseInt(timeline, 16) })),
  text: `select floor(extract(epoch from at) * 1000)::float8 as at, lsn::text, left(pg_walfile_name(lsn), 8) as timeline
    from ${heartbeatTable}, pg_current_wal_insert_lsn() as lsn`,
};

/** In the database `postgres` of a primary. Throws what the server says. */
export async function heartbeat(session: Session, withinMs: number): Promise<Heartbeat> {
  try {
    await session.execute(beat, withinMs);
  } catch (error) {
    if (sqlState(error) !== undefinedTable && sqlState(error) !== undefinedSchema) throw error;
    await session.execute(`${makeTable}; ${beat}`, withinMs);
  }
  const [row] = await session.query(place, withinMs);
  if (row === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the heartbeat is gone');
  return row;
}
