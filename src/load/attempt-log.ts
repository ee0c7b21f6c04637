/**
 * Keeps what was attempted, and the figures that are shown while a load runs.
 *
 * Invariant: bounded. At its limit it is full, and writers stop, rather than take the memory of the machine under test.
 */
import type { Attempt, Outcome } from '../history/attempt.ts';

/** Some 500 MB at most: with what it read an attempt takes about 900 bytes. */
const mostAttempts = 500_000;

export interface LoadCounts extends Readonly<Record<Outcome, number>> {
  /** The longest time without a successful commit so far, the present one included, in ms. */
  readonly longestGapMs: number;
  /** Since the last successful commit, in ms. */
  readonly silentMs: number;
  /** It takes no more attempts. */
  readonly isFull: boolean;
}

export class AttemptLog {
  readonly #attempts: Attempt[] = [];
  readonly #counts = { ok: 0, failed: 0, unknown: 0 };
  #lastOkMs = 0;
  #longestGapMs = 0;

  add(attempt: Attempt): void {
    this.#attempts.push(attempt);
    this.#counts[attempt.outcome] += 1;
    if (attempt.outcome !== 'ok') return;
    this.#longestGapMs = Math.max(this.#longestGapMs, attempt.endedMs - this.#lastOkMs);
    this.#lastOkMs = Math.max(this.#lastOkMs, attempt.endedMs);
  }

  isFull(): boolean {
    return this.#attempts.length >= mostAttempts;
  }

  counts(nowMs: number): LoadCounts {
    const silentMs = nowMs - this.#lastOkMs;
    return { ...this.#counts, silentMs, longestGapMs: Math.max(this.#longestGapMs, silentMs), isFull: this.isFull() };
  }

  attempts(): readonly Attempt[] {
    return [...this.#attempts];
  }
}
