/**
 * Spreads attempts evenly over time.
 *
 * Invariant: never more than one attempt per interval, also after a standstill: what was missed is not made up for, or an
 * outage would end in a burst.
 */
import type { Clock } from '../ports/clock.ts';

export interface Pace {
  /** Returns when it is the caller's turn, or rejects when the signal fires. */
  turn(signal: AbortSignal): Promise<void>;
}

/** `perSecond`: attempts of all callers together; `null`: no limit. */
export function createPace(perSecond: number | null, clock: Clock): Pace {
  if (perSecond === null) return { turn: () => Promise.resolve() };
  const everyMs = 1_000 / perSecond;
  let next = clock.boottimeMs();
  return {
    async turn(signal) {
      const now = clock.boottimeMs();
      const mine = Math.max(next, now);
      next = mine + everyMs;
      if (mine > now) await clock.sleep(mine - now, signal);
    },
  };
}
