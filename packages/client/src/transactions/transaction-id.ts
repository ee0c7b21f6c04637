/**
 * What became of a transaction whose COMMIT was not answered, by its id (documentation 9.28.8, pg_xact_status).
 *
 * Invariant: an id is trusted only on the timeline on which it was given: on another one it may be somebody else's.
 */
import type { PoolClient } from 'pg';

export interface TransactionId {
  readonly xid: string;
  readonly timeline: number;
}

type Fate = 'committed' | 'aborted' | 'in progress' | 'unknown';

const timelineOfPrimary = `CASE WHEN pg_is_in_recovery() THEN NULL
 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline`;

/** There is nothing to be lost of a transaction that wrote nothing. */
export type AskedId = TransactionId | 'wrote-nothing';

export async function askForId(client: PoolClient): Promise<AskedId> {
  const text = `SELECT pg_current_xact_id_if_assigned()::text AS xid, ${timelineOfPrimary}`;
  const { rows } = await client.query<{ xid: string | null; timeline: number | null }>(text);
  const { xid = null, timeline = null } = rows[0] ?? {};
  return xid === null || timeline === null ? 'wrote-nothing' : { xid, timeline };
}

/** To be asked on a connection to the primary. */
export async function fateOf(client: PoolClient, { timeline, xid }: TransactionId): Promise<Fate> {
  const text = `SELECT pg_xact_status($1::xid8) AS fate, ${timelineOfPrimary}`;
  const { rows } = await client.query<{ fate: string | null; timeline: number | null }>(text, [xid]);
  const [row] = rows;
  if (row === undefined || row.timeline !== timeline) return 'unknown';
  const { fate } = row;
  return fate === 'committed' || fate === 'aborted' || fate === 'in progress' ? fate : 'unknown';
}
