/**
 * What an app node's agent sees of its pooler's process: the last look at it, and whether another one is due.
 *
 * Invariant: what is not known any more counts as `unknown`, and is looked at before the next decision. Refuses to conclude
 * anything from what a look shows: app-node-acts.ts knows what was done to the pooler meanwhile.
 */
import type { PoolerView } from '../core/rules/pooler-memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { LocalPooler, Pooler } from '../ports/pooler.ts';

const lookEveryMs = 2_000;
const lookWithinMs = 1_000;

export class PoolerLooks {
  readonly #pooler: Pick<Pooler, 'observe'>;
  readonly #clock: Clock;
  #local: LocalPooler = { state: 'unknown', because: 'not looked at yet' };
  #wasRunning = false;
  #atMs: number | null = null;
  #isUnderWay = false;

  constructor(pooler: Pick<Pooler, 'observe'>, clock: Clock) {
    this.#pooler = pooler;
    this.#clock = clock;
  }

  get local(): LocalPooler {
    return this.#local;
  }

  get process(): PoolerView['process'] {
    if (this.#local.state === 'running' || this.#local.state === 'stopped') return this.#local.state;
    // Missing binaries: starting it fails with words that say so.
    return this.#local.state === 'missing-binaries' ? 'stopped' : 'unknown';
  }

  /** What was seen may not be so any more. */
  get isBlind(): boolean {
    return this.#atMs === null;
  }

  /** Has the last look become old, with no other under way? */
  get isDue(): boolean {
    return this.#atMs !== null && !this.#isUnderWay && this.#clock.boottimeMs() - this.#atMs >= lookEveryMs;
  }

  /** The process or the connection to it is gone. */
  lost(): void {
    this.#local = { state: 'unknown', because: 'the connection to its console broke' };
    this.forget();
  }

  /** What was seen last stands until the next look, which is due at once. */
  forget(): void {
    this.#atMs = null;
  }

  /** `seen` is told at once; `isGone`: a process that ran is gone. Never rejects. */
  async look(seen: (local: LocalPooler, isGone: boolean) => void): Promise<void> {
    this.#isUnderWay = true;
    const local = await this.#pooler.observe(lookWithinMs);
    this.#isUnderWay = false;
    this.#atMs = local.state === 'unknown' ? null : this.#clock.boottimeMs();
    this.#local = local;
    const isGone = local.state === 'stopped' && this.#wasRunning;
    this.#wasRunning = local.state === 'running' || (local.state === 'unknown' && this.#wasRunning);
    seen(local, isGone);
  }
}
