/**
 * Says how an attempt ended from what went wrong.
 *
 * Invariant: `failed` only when it is proven that nothing was committed. Everything else that was sent for commit is
 * `unknown`; an outcome that is called unknown without need only makes the check weaker, never wrong.
 */
import { DatabaseError } from 'pg';
import { describeError } from '../errors/understudy-error.ts';
import type { Ending } from '../history/attempt.ts';

/**
 * An ERROR of the server ended the transaction and left the connection usable; FATAL ended the connection, and may have
 * come after the commit (documentation 20.8, "Message Severity Levels"). In a server that speaks another language than
 * English the word is translated, and nothing counts as an ERROR here: errors are unknown there.
 */
export function isServerError(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.severity === 'ERROR';
}

/**
 * SQLSTATE classes and codes of a refused login: no such database or role, wrong password, too many connections, a server
 * that starts, stops or can't take anybody yet. A pooler passes them on to clients that wait for a connection to it.
 */
const refusedLogins = /^(?:28|3D000$|53300$|57P03$)/;
/** pgbouncer has one code for everything it says by itself. */
const poolerCode = '08P01';
/**
 * What pgbouncer says to clients that have no server connection (its janitor.c, objects.c, client.c; the same words from
 * 1.18 to 1.25): their statement was not passed on. "server conn crashed?" and "query_timeout" are no such words.
 */
const neverPassedOn =
  /\b(?:query_wait_timeout|client_login_timeout|server_login_retry|server login failed|no more connections allowed|client connections exceeded)\b/;

/** A statement that was not sent, because the connection had ended before it. */
export class ConnectionEnded extends Error {
  constructor(cause: unknown) {
    super(`the connection had ended: ${causeOf(cause)}`, { cause });
    this.name = 'ConnectionEnded';
  }
}

function wasNeverSent(error: unknown): boolean {
  if (error instanceof ConnectionEnded) return true;
  if (!(error instanceof DatabaseError)) return false;
  const code = error.code ?? '';
  return refusedLogins.test(code) || (code === poolerCode && neverPassedOn.test(error.message));
}

/** Connection exceptions: whoever says so may speak of another connection than the one on which the commit went. */
const connectionTroubles = /^08/;

/** After the commit, or a statement that commits by itself, had been sent. */
export function endingAfterCommit(error: unknown): Ending {
  const isRefused = isServerError(error) && !connectionTroubles.test(error.code ?? '');
  const isProven = isRefused || wasNeverSent(error);
  return { outcome: isProven ? 'failed' : 'unknown', because: causeOf(error) };
}

/** Before the commit was sent: whatever went wrong, the transaction can't have been committed. */
export function endingBeforeCommit(error: unknown): Ending {
  return { outcome: 'failed', because: causeOf(error) };
}

function causeOf(error: unknown): string {
  const text = describeError(error).replace(/\s+/g, ' ');
  return error instanceof DatabaseError && error.code !== undefined ? `${error.code} ${text}` : text;
}
