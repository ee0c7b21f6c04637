/**
 * How long an answer may take, and what becomes of the work when nobody waits for it any more.
 *
 * Invariant: at the limit, and when the caller has gone, the work's signal fires; and the work has a moment to end after
 * that. So what is answered is what happened: TIMEOUT means that the work was cancelled, and work that could no longer
 * be cancelled is answered with its result. Only work that ignores its signal is left alone, and called a time-out.
 */
import type { ServerResponse } from 'node:http';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** For what can't be cancelled half-way, such as a write to the store (2 s), to come to its end. */
const graceMs = 3_000;

/** Throws TIMEOUT, and what `work` throws. */
export async function answerInTime<T>(
  response: ServerResponse,
  withinMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const cancel = new AbortController();
  const gone = (): void => cancel.abort(new Error('the caller has gone'));
  if (response.destroyed) gone();
  else response.once('close', gone);
  const late = new UnderstudyError('TIMEOUT', `the agent had no answer within ${withinMs} ms`);
  let timer: NodeJS.Timeout | undefined;
  const ignored = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      cancel.abort(late);
      timer = setTimeout(() => reject(late), graceMs);
    }, withinMs);
  });
  try {
    return await Promise.race([work(cancel.signal), ignored]);
  } catch (error) {
    // What is told instead of it must not be less true: only work that says it was cancelled is called late.
    throw cancel.signal.aborted && isCausedBy(error, cancel.signal.reason) ? late : error;
  } finally {
    clearTimeout(timer);
    response.off('close', gone);
  }
}

function isCausedBy(error: unknown, reason: unknown): boolean {
  if (error === reason) return true;
  return error instanceof Error && error.cause !== undefined && isCausedBy(error.cause, reason);
}
