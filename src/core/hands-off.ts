/**
 * The automation's hands are off: for a while people work on the servers, and no agent interferes.
 *
 * What is left is counted in the store, not on anybody's wall clock: `leftMs` is what was left at the record's last
 * write, and every agent subtracts what its own boottime has counted since it saw that. The record is rewritten each
 * minute, so that the restart of an agent lengthens the time by about a minute at most.
 *
 * Invariant: while the record stands, hands are off; whoever counts to its end removes it, and only then anybody acts
 * again. So no two agents disagree about it by more than the store's own delay.
 */
export interface HandsOff {
  /** The operator who asked for it. */
  readonly by: string;
  /** Wall clock of the agent that wrote it, for people only. */
  readonly at: string;
  /** What was asked for, in ms. */
  readonly forMs: number;
  /** What was left when this was written, in ms. */
  readonly leftMs: number;
}

/** Longer than this is no maintenance any more. */
export const handsOffAtMostMs = 7 * 24 * 3_600_000;

/** The record as an agent saw it change last, on its own clock. */
export interface HandsOffWatch {
  readonly revision: number;
  readonly sinceMs: number;
}

/** What is left of it, in ms, by the clock of an agent that has seen this record since then. */
export function handsOffLeftMs(record: HandsOff, sinceMs: number, nowMs: number): number {
  return Math.max(0, record.leftMs - Math.max(0, nowMs - sinceMs));
}
