/**
 * The one function by which something is tried again.
 *
 * Invariant: only errors that say `retry: 'later'` are tried again; a refusal, a defect or a cancel ends it at once.
 * Used at one layer: what is retried here does not retry inside.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { RetryPolicy } from './policies.ts';

export interface RetryOptions {
  readonly clock: Clock;
  /** In [0, 1): spreads those who failed together. */
  readonly draw: () => number;
  readonly signal?: AbortSignal;
}

/** Answers the first success. Throws the last error once the policy gives up, and the signal's reason on cancel. */
export async function retry<T>(
  policy: RetryPolicy,
  work: (attempt: number) => Promise<T>,
  { clock, draw, signal }: RetryOptions,
): Promise<T> {
  const startMs = clock.boottimeMs();
  for (let attempt = 1, pauseMs = policy.firstPauseMs; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof UnderstudyError) || error.retry !== 'later') throw error;
      const waitMs = pauseMs * (0.5 + draw() / 2);
      const giveUpAtMs = policy.giveUpAfterMs === null ? Number.POSITIVE_INFINITY : startMs + policy.giveUpAfterMs;
      if (clock.boottimeMs() + waitMs > giveUpAtMs) throw error;
      await clock.sleep(waitMs, signal);
      pauseMs = Math.min(2 * pauseMs, policy.longestPauseMs);
    }
  }
}
