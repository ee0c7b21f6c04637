/**
 * What an error that came out of `pg` says of the statement behind it. Pure.
 *
 * Invariant: whatever is not known to be safe is not called repeatable, and a COMMIT that was not answered cleanly is
 * `unknown`. Judged by SQLSTATE and by the phase, never by the text of a message.
 */
import { DatabaseError } from 'pg';
import { ClusterError, type Outcome } from './errors.ts';

/** How far a transaction was when it failed. `begin`: its first statement was sent, and is not answered. */
export type Phase = 'connect' | 'begin' | 'body' | 'commit';

/**
 * `statement`: about the caller's own statement. `conflict`: with other transactions; the same again may succeed.
 * `read-only`: this server takes no writes. `unavailable`: there is no connection, or no longer.
 */
export type FailureKind = 'statement' | 'conflict' | 'read-only' | 'unavailable';

export interface Failure {
  readonly kind: FailureKind;
  readonly outcome: Outcome;
  /** The connection must not be used again. */
  readonly endsConnection: boolean;
}

/** PostgreSQL documentation, appendix A. */
const conflicts = new Set(['40001', '40P01']);
const readOnly = '25006';
/** Shutdown, crash, start-up, dropped for idleness; too many connections; out of disk is the caller's to see. */
const unavailable = new Set(['57P01', '57P02', '57P03', '57P05', '53300']);
/** Cancelled: at COMMIT it may have been cancelled behind it. */
const cancelled = '57014';

export function sqlstateOf(error: unknown): string | null {
  return error instanceof DatabaseError && typeof error.code === 'string' ? error.code : null;
}

/** Class 08 is also what pgbouncer calls all of its own errors. */
function isUnavailable(sqlstate: string): boolean {
  return unavailable.has(sqlstate) || sqlstate.startsWith('08');
}

/** `isLost`: the connection is gone, or is about to be ended since nobody knows what it is doing. */
export function judgeFailure(error: unknown, phase: Phase, isLost: boolean): Failure {
  const sqlstate = sqlstateOf(error);
  if (sqlstate === null) {
    // BEGIN and COMMIT are not the caller's: whatever fails them without a server's word is the connection.
    if (phase === 'body' && !isLost) return { kind: 'statement', outcome: 'rolled-back', endsConnection: false };
    if (phase === 'connect' && error instanceof ClusterError) {
      return { kind: 'statement', outcome: 'not-sent', endsConnection: true };
    }
    return { kind: 'unavailable', outcome: lostOutcome(phase), endsConnection: true };
  }
  if (conflicts.has(sqlstate)) return { kind: 'conflict', outcome: 'rolled-back', endsConnection: isLost };
  if (sqlstate === readOnly) return { kind: 'read-only', outcome: 'rolled-back', endsConnection: true };
  if (isUnavailable(sqlstate)) return { kind: 'unavailable', outcome: lostOutcome(phase), endsConnection: true };
  if (isLost || (sqlstate === cancelled && phase === 'commit')) {
    return { kind: 'statement', outcome: phase === 'commit' ? 'unknown' : 'rolled-back', endsConnection: true };
  }
  if (phase === 'connect') return { kind: 'statement', outcome: 'not-sent', endsConnection: true };
  return { kind: 'statement', outcome: 'rolled-back', endsConnection: false };
}

/** Before COMMIT is sent nothing can be committed: PostgreSQL rolls back what its client leaves. */
function lostOutcome(phase: Phase): Outcome {
  switch (phase) {
    case 'connect':
    case 'begin':
      return 'not-sent';
    case 'body':
      return 'rolled-back';
    case 'commit':
      return 'unknown';
    default:
      return phase satisfies never;
  }
}

/** Wraps what the caller's function threw, and no server. */
export class CallersError extends Error {
  constructor(cause: unknown) {
    super('thrown by the function that was to read', { cause });
  }
}

/** Mistakes in a program, such as a value that can't be written as text. */
const mistakes = [CallersError, ClusterError, TypeError, RangeError, ReferenceError, SyntaxError];

/** A read that failed so is worth trying on another server: this one is going, or its replay stood in the way. */
export function isWorthReadingElsewhere(error: unknown): boolean {
  if (mistakes.some((kind) => error instanceof kind)) return false;
  const sqlstate = sqlstateOf(error);
  // Without SQLSTATE it did not come from a server. With 40001 or 40P01 a standby's replay ended it (documentation 27.4.2).
  return sqlstate === null || isUnavailable(sqlstate) || conflicts.has(sqlstate);
}
