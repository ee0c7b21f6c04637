/** How much of a machine the past may take. Pure. */
import { type Disk, megabytes, whyNoRoom } from './room.ts';

export interface PastLimits {
  readonly maxInstances: number;
  /** Of everything in the scratch directory, in bytes; `null`: as much as there is, but for what is kept free. */
  readonly maxBytes: number | null;
}

export const usualLimits: PastLimits = { maxInstances: 3, maxBytes: null };
export const usualLifeMs = 4 * 3_600_000;

export interface PastFacts extends Disk {
  readonly instances: number;
  /** In the scratch directory, shared blocks counted once for each who has them. */
  readonly usedBytes: number;
  /** What comes to be written, as far as is known. */
  readonly neededBytes: number;
}

/** `null`: there is room. */
export function whyNoInstance(facts: PastFacts, limits: PastLimits): string | null {
  const { instances, neededBytes, usedBytes } = facts;
  if (instances >= limits.maxInstances) {
    return `${instances} instances are open, and no more than ${limits.maxInstances} may be`;
  }
  if (limits.maxBytes !== null && usedBytes + neededBytes > limits.maxBytes) {
    return `the past has ${megabytes(usedBytes)} on disk, needs ${megabytes(neededBytes)} more, and may have ${megabytes(limits.maxBytes)}`;
  }
  return whyNoRoom(facts, neededBytes);
}
