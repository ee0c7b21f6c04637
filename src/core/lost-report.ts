/**
 * What a node had committed alone when it came back: the account of one divergence, made from its WAL before anything of
 * it was changed.
 *
 * It says what it does not know: a relation without a name, a transaction whose beginning is no longer on disk, WAL that
 * could not be read.
 */
import type { NodeName } from './spec.ts';

export interface RowCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface LostRows extends RowCounts {
  /** `null`: not known. */
  readonly database: string | null;
  /** `schema.table`, or `unknown relation N`, N being the number of its file. */
  readonly table: string;
}

export interface LostTransaction {
  readonly xid: number;
  /** By the clock of the node that committed it, in UTC. */
  readonly committedAt: string;
  readonly lsn: string;
  /** It began before the WAL that was read: it may have changed more than is counted here. */
  readonly atLeast: boolean;
  /** It changed tables of the system: their definitions, rights or the like. */
  readonly changedCatalog: boolean;
  readonly tables: readonly LostRows[];
}

export interface LostTable extends LostRows {
  readonly transactions: number;
}

export interface LostReport {
  /** Under the node's state directory, where the WAL stands beside it. */
  readonly id: string;
  readonly node: NodeName;
  /** When it was made. */
  readonly at: string;
  /** The term of the holder that the node came back to. */
  readonly term: number;
  /** Where the node's history left the cluster's. */
  readonly timeline: number;
  readonly forkLsn: string;
  /** Where its last record that could be read starts; `null`: there is none past the fork. */
  readonly lastLsn: string | null;
  readonly walBytes: number;
  /** `false`: there is more that could not be read, and `notWhole` says why. */
  readonly whole: boolean;
  readonly notWhole: string | null;
  /** Why relations have no names; `null`: they have, as far as there are any. */
  readonly unnamed: string | null;
  /** Bytes that are on disk now; 0 after they were removed. */
  readonly keptBytes: number;
  readonly transactions: number;
  readonly firstCommitAt: string | null;
  readonly lastCommitAt: string | null;
  /** Of all of them. */
  readonly tables: readonly LostTable[];
  /** The oldest so many; `listed` of `transactions`. */
  readonly listed: readonly LostTransaction[];
}

export function rowsOf(counts: Iterable<RowCounts>): number {
  let rows = 0;
  for (const { inserted, updated, deleted } of counts) rows += inserted + updated + deleted;
  return rows;
}
