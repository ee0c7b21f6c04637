/**
 * Ends every wait: by its result, by its deadline, or by its caller's signal.
 *
 * Invariant: when the promise settles, the work's signal has fired or the work is done, and neither a timer nor a
 * listener on the caller's signal is left behind. Work that ignores its signal is left alone, not waited for.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';

/**
 * Runs `work` for at most `ms`. Rejects with `UnderstudyError` TIMEOUT at the deadline, and with the signal's reason
 * when the caller gives up; in both cases the work's own signal fires with the same reason.
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const inner = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let cancel: (() => void) | undefined;
  const cut = new Promise<never>((_, reject) => {
    const end = (reason: unknown): void => {
      inner.abort(reason);
      reject(reason);
    };
    cancel = () => end(signal?.reason);
    signal?.addEventListener('abort', cancel, { once: true });
    timer = setTimeout(() => end(new UnderstudyError('TIMEOUT', `not done within ${Math.round(ms)} ms`)), ms);
  });
  try {
    return await Promise.race([work(inner.signal), cut]);
  } finally {
    clearTimeout(timer);
    if (cancel !== undefined) signal?.removeEventListener('abort', cancel);
  }
}
