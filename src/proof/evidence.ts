/**
 * What a failure says of the backups, and what of this machine alone. Pure.
 *
 * Invariant: a bound that was exceeded, a disk or a memory that is full, and a program that somebody ended prove nothing: with more
 * time, or on another machine, the same backup might be sound. Exit codes don't tell those apart; what is said in the C locale does.
 */
import type { ErrorCode } from '../errors/catalogue.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import { sqlState } from '../postgres/session.ts';

/** Memory in the words of an error alone: a record that is none is said to want too much of it as well (xlogreader.c). */
const lacking =
  /No space left on device|Disk quota exceeded|(?:error|fatal|panic): +out of memory|Cannot allocate memory|Too many open files|terminated by signal 9\b/i;
const ended = /ended with (?:a signal|signal SIG(?:KILL|TERM))|due to (?:administrator command|immediate shutdown)/;
const notReady = /could not open extension control file|too many clients already|Is the server running/;

/** Connections, resources, somebody's intervention, a disk that does not read (documentation, appendix A). */
const statesOfThisMachine = /^(?:08|53|57|58030)/;

/** What a program said that did not come to its end. */
export function isOfThisMachine(text: string): boolean {
  return [lacking, ended, notReady].some((pattern) => pattern.test(text));
}

const speaking: readonly ErrorCode[] = ['RESTORE_FAILED', 'POSTGRES_FAILED'];

/** `log`: of the restored server, which is ended in order when it is given up. */
export function isFinding(error: unknown, log = ''): error is Error {
  if (!isUnderstudyError(error) || !speaking.includes(error.code)) return false;
  if (isOfThisMachine(describeError(error)) || lacking.test(log)) return false;
  if (error.code === 'RESTORE_FAILED') return true;
  // A server that does not answer at all may have been ended; one that refuses says why.
  const state = sqlState(error);
  return state !== null && !statesOfThisMachine.test(state);
}
