/**
 * Errors of this library. Each says what became of the work, so that a caller knows whether it may be repeated.
 *
 * Invariant: `outcome` is never better than what is known. Errors of PostgreSQL that are about the caller's own statements
 * are passed on as `pg` made them.
 */

/**
 * `not-sent`: no statement reached a server. `rolled-back`: it was begun, and is certain not to be committed.
 * `unknown`: it may have been committed; repeating it may do it twice.
 */
export type Outcome = 'not-sent' | 'rolled-back' | 'unknown';

export type ClusterErrorCode =
  | 'READ_ONLY_MODE'
  | 'COMMIT_UNKNOWN'
  | 'DURABILITY_NOT_CONFIRMED'
  | 'TRANSACTION_ROLLED_BACK'
  | 'TRANSACTION_GAVE_UP'
  | 'TRANSACTION_ENDED'
  | 'CAUSAL_READ_IMPOSSIBLE'
  | 'ROUTER_FAILED'
  | 'POOL_ENDED'
  | 'TOKEN_INVALID'
  | 'OPTION_INVALID';

interface Details {
  readonly outcome: Outcome;
  /** What to do about it. */
  readonly hint: string;
  readonly cause?: unknown;
}

export class ClusterError extends Error {
  readonly code: ClusterErrorCode;
  readonly outcome: Outcome;
  readonly hint: string;

  constructor(code: ClusterErrorCode, message: string, { outcome, hint, cause }: Details) {
    super(message, cause === undefined ? {} : { cause });
    this.name = new.target.name;
    this.code = code;
    this.outcome = outcome;
    this.hint = hint;
  }
}

/** Nobody may write at the moment: declared so, or nobody can be primary, or the server refused it (SQLSTATE 25006). */
export class ReadOnlyModeError extends ClusterError {
  constructor(because: string, outcome: Outcome, cause?: unknown) {
    super('READ_ONLY_MODE', `the database is read-only: ${because}`, {
      outcome,
      hint: "show a page that says so, or pass onReadOnly: 'wait' where somebody can wait",
      cause,
    });
  }
}

/** COMMIT was sent, and whether it was carried out could not be found out within the deadline. */
export class CommitUnknownError extends ClusterError {
  constructor(cause?: unknown) {
    super('COMMIT_UNKNOWN', 'COMMIT was sent, and whether it was carried out is not known', {
      outcome: 'unknown',
      hint: 'look before you repeat it; with an idempotencyKey the next call with the same key finds out',
      cause,
    });
  }
}

/**
 * Committed on the primary, and not known to be anywhere else: PostgreSQL ended its wait for standbys (a WARNING with
 * a successful COMMIT; documentation 27.2.8.2). A failover may lose it.
 */
export class DurabilityNotConfirmedError extends ClusterError {
  constructor(durability: string) {
    super('DURABILITY_NOT_CONFIRMED', `committed on the primary, but not confirmed as ${durability}`, {
      outcome: 'unknown',
      hint: 'it is there unless a failover loses it; look before you repeat it',
    });
  }
}

/** COMMIT was answered with ROLLBACK: a statement had failed, and its error was swallowed. */
export class TransactionRolledBackError extends ClusterError {
  constructor() {
    super('TRANSACTION_ROLLED_BACK', 'the transaction was rolled back at its COMMIT', {
      outcome: 'rolled-back',
      hint: 'a statement in it failed and its error was caught: use a savepoint, or let it through',
    });
  }
}

/**
 * Its function ended the transaction itself (COMMIT, ROLLBACK, PREPARE TRANSACTION), or used it when it was over: what became
 * of which statement nobody knows but the one who wrote it.
 */
export class TransactionEndedError extends ClusterError {
  constructor(cause?: unknown) {
    super('TRANSACTION_ENDED', 'the transaction had ended before its function was through with it', {
      outcome: 'unknown',
      hint: 'leave COMMIT and ROLLBACK to tx, and await every statement within its function',
      cause,
    });
  }
}

/** What may be repeated was, until its time or its attempts were over. `cause` is the last failure. */
export class TransactionGaveUpError extends ClusterError {
  readonly attempts: number;

  constructor(attempts: number, because: string, outcome: Outcome, cause?: unknown) {
    super('TRANSACTION_GAVE_UP', `gave up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${because}`, {
      outcome,
      hint: 'it was not carried out, and may be tried again later; deadlineMs says how long one call tries',
      cause,
    });
    this.attempts = attempts;
  }
}

/** A read that must show the session's own writes, and nobody can show that it does. */
export class CausalReadError extends ClusterError {
  constructor(because: string, cause?: unknown) {
    super('CAUSAL_READ_IMPOSSIBLE', `no server is known to have what this session wrote: ${because}`, {
      outcome: 'not-sent',
      hint: "try again when there is a primary, or read with consistency: 'any' where an older state will do",
      cause,
    });
  }
}

/** The pool's router threw instead of choosing. */
export class RouterError extends ClusterError {
  constructor(router: string, cause: unknown) {
    super('ROUTER_FAILED', `the router '${router}' threw`, {
      outcome: 'not-sent',
      hint: 'choose() answers one of its candidates, or undefined where the primary is to serve',
      cause,
    });
  }
}

/** `end()` was called. */
export class PoolEndedError extends ClusterError {
  constructor() {
    super('POOL_ENDED', 'Cannot use a pool after calling end on the pool', {
      outcome: 'not-sent',
      hint: 'end the pool when nobody needs it any more',
    });
  }
}

export class OptionError extends ClusterError {
  constructor(option: string, expected: string) {
    super('OPTION_INVALID', `${option} should be ${expected}`, {
      outcome: 'not-sent',
      hint: 'see the README of @understudy/client',
    });
  }
}
