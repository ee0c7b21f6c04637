/**
 * Looks again and again whether a pooler stays paused for a planned move for longer than any may last (PROTOCOLS,
 * "Invariants" 5), whoever can be heard or not. While its agent does not run, nobody could open it.
 */
import { pauseLimitMs } from '../../core/operation.ts';
import { pauseHoldMs } from '../../core/rules/pooler-gate.ts';
import type { World } from '../world/world.ts';

const lookEveryMs = 500;
/** A drain, a reload and the network, and what clocks may differ by. */
const slackMs = 3_000;
/** The longest that a plan asks for. */
const longestPaceMs = 3_000;

export class PauseWatch {
  readonly #world: World;
  readonly #since = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    this.#look();
    this.#world.time.after(lookEveryMs, () => this.begin());
  }

  #look(): void {
    const { apps, time, checks, spec } = this.#world;
    const limitMs = pauseLimitMs({ ...spec.switchover, paceMs: longestPaceMs }) + pauseHoldMs + slackMs;
    for (const [name, { pooler, process }] of apps) {
      if (!pooler.isPausedForMove || process?.isRunning !== true) {
        this.#since.delete(name);
        continue;
      }
      const sinceMs = this.#since.get(name) ?? time.nowMs;
      this.#since.set(name, sinceMs);
      if (time.nowMs - sinceMs <= limitMs) continue;
      this.#since.delete(name);
      checks.violated('paused-too-long', `the pooler of ${name} was paused for ${Math.round(limitMs / 1_000)} s`);
    }
  }
}
