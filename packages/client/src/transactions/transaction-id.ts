/**
 * What became of a transaction whose COMMIT was not answered, by its id (documentation 9.28.8, pg_xact_status).
 *
 * Invariant: an id is trusted only on the timeline on which it was given, and only while that server has not crashed: what a
 * crash keeps from being written takes its ids along, and the next transactions are given the same ones.
 */
import type { PoolClient } from 'pg';

export interface TransactionId {
  readonly xid: string;
  readonly timeline: number;
  /** Changes with each crash. */
  readonly run: string;
}

type Fate = 'committed' | 'aborted' | 'in progress' | 'unknown';

/** A crash throws the statistics away, and their beginning is for everybody to see (documentation 28.2). */
const server = `CASE WHEN pg_is_in_recovery() THEN NULL
 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline,
 pg_stat_get_bgwriter_stat_reset_time()::text AS run`;

interface Server {
  readonly timeline: number | null;
  readonly run: string | null;
}

/** There is nothing to be lost of a transaction that wrote nothing. */
export type AskedId = TransactionId | 'wrote-nothing';

/** `null`: it has one that could not be trusted later. */
export async function askForId(client: PoolClient): Promise<AskedId | null> {
  const text = `SELECT pg_current_xact_id_if_assigned()::text AS xid, ${server}`;
  const { rows } = await client.query<Server & { xid: string | null }>(text);
  const { run = null, timeline = null, xid = null } = rows[0] ?? {};
  if (xid === null) return 'wrote-nothing';
  return timeline === null || run === null ? null : { xid, timeline, run };
}

/** To be asked on a connection to the primary. */
export async function fateOf(client: PoolClient, { run, timeline, xid }: TransactionId): Promise<Fate> {
  const text = `SELECT pg_xact_status($1::xid8) AS fate, ${server}`;
  const { rows } = await client.query<Server & { fate: string | null }>(text, [xid]);
  const [row] = rows;
  if (row === undefined || row.timeline !== timeline || row.run !== run) return 'unknown';
  const { fate } = row;
  return fate === 'committed' || fate === 'aborted' || fate === 'in progress' ? fate : 'unknown';
}
