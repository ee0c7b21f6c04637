/**
 * Knocks at a server's port when the rules are in doubt about it, and keeps the last answer.
 *
 * Invariant: one knock is under way at most, and none while nobody is in doubt; each ends in time. An answer counts from
 * before it was asked for. Judges nothing: see core/rules/outage.ts.
 */
import type { Knock } from '../core/rules/pooler-decision.ts';
import type { Reach } from '../core/rules/pooler-memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { Pooler } from '../ports/pooler.ts';

/** A server that is there answers within a few ms; a lost packet is sent again after one second. */
const withinMs = 700;
/** A pooler in trouble complains many times a second. */
const stirEveryMs = 50;

export class Knocks {
  readonly #pooler: Pooler;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #signal: AbortSignal;
  #reach: Reach | null = null;
  #stirredAtMs: number | null = null;
  #isKnocking = false;
  #wanted: Knock | null = null;

  constructor(pooler: Pooler, clock: Clock, signal: AbortSignal, wake: () => void) {
    this.#pooler = pooler;
    this.#clock = clock;
    this.#signal = signal;
    this.#wake = wake;
  }

  get reach(): Reach | null {
    return this.#reach;
  }

  get stirredAtMs(): number | null {
    return this.#stirredAtMs;
  }

  stirred(): void {
    const nowMs = this.#clock.boottimeMs();
    if (this.#stirredAtMs !== null && nowMs - this.#stirredAtMs < stirEveryMs) return;
    this.#stirredAtMs = nowMs;
    this.#wake();
  }

  /** From now on; `null`: nobody. The answer wakes the loop, which asks again as long as it is in doubt. */
  want(knock: Knock | null): void {
    this.#wanted = knock;
    if (knock === null || this.#isKnocking) return;
    const { address, port, everyMs } = knock;
    const last = this.#reach;
    const isOther = last === null || last.address !== address || last.port !== port;
    const dueInMs = isOther ? 0 : last.atMs + everyMs - this.#clock.boottimeMs();
    this.#isKnocking = true;
    void this.#knock(knock, Math.max(0, dueInMs));
  }

  async #knock({ address, port }: Knock, dueInMs: number): Promise<void> {
    try {
      if (dueInMs > 0) await this.#clock.sleep(dueInMs, this.#signal).catch(() => {});
      if (this.#wanted === null || this.#signal.aborted) return;
      const atMs = this.#clock.boottimeMs();
      this.#reach = { address, port, answer: await this.#pooler.reach(address, port, withinMs), atMs };
    } finally {
      this.#isKnocking = false;
      this.#wake();
    }
  }
}
