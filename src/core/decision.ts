/**
 * A decision is data: actions in the order in which they must happen, each with its reasons, what was refused,
 * and when to look again. `understudy why` prints exactly this.
 */
import type { Action } from './actions.ts';

export interface Reason {
  /** Stable and kebab-case: `lease-held-by-other`, `standby-lags`. */
  readonly code: string;
  /** For people; names the facts. */
  readonly text: string;
}

export interface Refusal {
  readonly what: string;
  readonly blockedBy: string;
  readonly text: string;
}

export interface Decision<Memory> {
  readonly actions: readonly Action[];
  readonly reasons: readonly Reason[];
  readonly refused: readonly Refusal[];
  readonly memory: Memory;
  readonly lookAgainInMs: number;
}
