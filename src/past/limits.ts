/** How much of a machine the past may take. Pure. */
import { megabytes } from '../restoring/room.ts';

export interface PastLimits {
  readonly maxInstances: number;
  /** Of everything in the scratch directory, in bytes; `null`: as much as there is, but for what is kept free. */
  readonly maxBytes: number | null;
}

export const usualLimits: PastLimits = { maxInstances: 3, maxBytes: null };
export const usualLifeMs = 4 * 3_600_000;

export interface RoomFacts {
  readonly instances: number;
  /** In the scratch directory, shared blocks counted once for each who has them. */
  readonly usedBytes: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** What comes to be written, as far as is known. */
  readonly neededBytes: number;
}

/** A server that shares this file system needs room for its WAL: a twentieth, at most 10 GiB. */
export function keptFreeBytes({ totalBytes }: Pick<RoomFacts, 'totalBytes'>): number {
  return Math.min(10 * 1024 ** 3, Math.floor(totalBytes / 20));
}

/** `null`: there is room. */
export function whyNoRoom(facts: RoomFacts, limits: PastLimits): string | null {
  const { freeBytes, instances, neededBytes, usedBytes } = facts;
  if (instances >= limits.maxInstances) {
    return `${instances} instances are open, and no more than ${limits.maxInstances} may be`;
  }
  if (limits.maxBytes !== null && usedBytes + neededBytes > limits.maxBytes) {
    return `the past has ${megabytes(usedBytes)} on disk, needs ${megabytes(neededBytes)} more, and may have ${megabytes(limits.maxBytes)}`;
  }
  const kept = keptFreeBytes(facts);
  if (freeBytes - neededBytes >= kept) return null;
  return `${megabytes(neededBytes)} are needed, and of ${megabytes(freeBytes)} that are free ${megabytes(kept)} are kept so`;
}
