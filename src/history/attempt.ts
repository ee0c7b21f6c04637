/**
 * What a load did: every transaction that it tried, with how it ended, and what it read on the way.
 *
 * Invariant: `ok` was acknowledged at the commit level asked for; `failed` is proven not to have been committed;
 * everything else is `unknown`, which is only what was sent for commit and not answered for certain. Each attempt has an
 * id of its own within its workload, and is written down once, whatever became of it. Times are milliseconds since the
 * load began, on one clock.
 */
export const workloads = ['inserts', 'append', 'bank'] as const;
export type Workload = (typeof workloads)[number];

/** What a transaction asks for before it counts as done (PostgreSQL documentation, `synchronous_commit`). */
export const commitLevels = ['local', 'remote_write', 'on', 'remote_apply'] as const;
export type CommitLevel = (typeof commitLevels)[number];

export type Outcome = 'ok' | 'failed' | 'unknown';
export type Ending = { readonly outcome: 'ok' } | { readonly outcome: 'failed' | 'unknown'; readonly because: string };

interface Common {
  readonly id: number;
  readonly writer: number;
  /** Index in the history's sources. */
  readonly source: number;
  readonly commit: CommitLevel;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** One row with its id. */
export type Insert = Common & Ending & { readonly workload: 'inserts' };

/** What a list held when it was read. */
export interface ListRead {
  readonly key: number;
  readonly items: readonly number[];
}

/** Its id put at the end of the list `key`. `reads` have its own id in them when they read that list. */
export type Append = Common &
  Ending & { readonly workload: 'append'; readonly key: number; readonly reads: readonly ListRead[] };

/** `amount` moved from one account to another, and its id written to the ledger. */
export type Transfer = Common &
  Ending & {
    readonly workload: 'bank';
    readonly from: number;
    readonly to: number;
    readonly amount: number;
    /** Every account's balance in one statement before the transfer; `null`: not read. */
    readonly balances: readonly number[] | null;
  };

export type Attempt = Insert | Append | Transfer;

/** An application at the pooler of one node. */
export interface Source {
  readonly application: string;
  readonly node: string;
}

export interface History {
  readonly sources: readonly Source[];
  readonly workloads: readonly Workload[];
  readonly writers: number;
  readonly commit: CommitLevel;
  /** Milliseconds since 1970 on the wall clock, for people; nothing is judged by it. */
  readonly startedAtEpochMs: number;
  /** From the beginning to the moment at which the end was asked for. */
  readonly durationMs: number;
  readonly bank: { readonly accounts: number; readonly opening: number };
  /** In the order in which they ended. */
  readonly attempts: readonly Attempt[];
}

/** Is it promised to be on the next primary? */
export function isReplicated(level: CommitLevel): boolean {
  return level !== 'local';
}
