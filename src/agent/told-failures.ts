/**
 * Which failures people were told of, so that one that repeats every turn is told of once a minute.
 *
 * Invariant: a failure that was not told of in the last minute is always news; telling one too often is the lesser evil.
 */
import type { Clock } from '../ports/clock.ts';

const sameEveryMs = 60_000;
const keptAtMost = 100;

export class ToldFailures {
  readonly #clock: Clock;
  readonly #toldAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whoever asks and hears yes tells it. */
  isNews(what: string, because: string): boolean {
    // Times and process ids differ from one failure to the next like it.
    const key = `${what} ${because.replace(/\d+/g, '')}`;
    const now = this.#clock.boottimeMs();
    if (now - (this.#toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < sameEveryMs) return false;
    if (this.#toldAtMs.size > keptAtMost) this.#toldAtMs.clear();
    this.#toldAtMs.set(key, now);
    return true;
  }
}
