/**
 * What all acts of the simulated PostgreSQL port have in common: they take time on their agent's clock, and they fail.
 *
 * Invariant: an act ends at its deadline or by its signal, whatever it waits for.
 */
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ActOptions } from '../../ports/postgres.ts';

/** How often something that is waited for is looked at. */
export const pollMs = 5;

export class ActTime {
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  async pause(ms: number): Promise<void> {
    await this.clock.sleep(ms);
  }

  /** Throws `POSTGRES_TIMEOUT` when that is longer than it may take. */
  async take(ms: number, { signal, withinMs }: ActOptions): Promise<void> {
    await this.clock.sleep(Math.min(ms, withinMs), signal);
    if (ms > withinMs) throw new UnderstudyError('POSTGRES_TIMEOUT', 'it took too long');
  }

  /** Throws `POSTGRES_TIMEOUT` with that text when it does not come about in time. */
  async until(options: ActOptions, otherwise: string, isDone: () => boolean): Promise<void> {
    const untilMs = this.clock.boottimeMs() + options.withinMs;
    while (!isDone()) {
      if (this.clock.boottimeMs() >= untilMs) throw new UnderstudyError('POSTGRES_TIMEOUT', otherwise);
      await this.clock.sleep(pollMs, options.signal);
    }
  }
}

export function failed(because: string): UnderstudyError {
  return new UnderstudyError('POSTGRES_FAILED', because);
}
