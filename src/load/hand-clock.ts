/** A clock for tests: it sleeps by moving its hand, and lets something happen meanwhile. */
import type { Clock } from '../ports/clock.ts';

export class HandClock implements Clock {
  nowMs = 1_000;
  readonly #meanwhile: () => void;

  constructor(meanwhile: () => void = () => undefined) {
    this.#meanwhile = meanwhile;
  }

  boottimeMs(): number {
    return this.nowMs;
  }

  wallClock(): Date {
    return new Date(this.nowMs);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(new Error('aborted'));
    this.nowMs += ms;
    this.#meanwhile();
    return Promise.resolve();
  }
}
