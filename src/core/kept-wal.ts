/**
 * How long WAL that diverged is kept, and what goes first when there is too much of it. Pure.
 *
 * Invariant: what is younger than a week is removed only where the limit demands it, and whoever removes it says so
 * loudly. Reports are small and stay.
 */
export interface KeptWalLimits {
  /** Of all that is kept on one node. */
  readonly maxBytes: number;
  /** After so long it is removed in any case, in ms. */
  readonly keepMs: number;
}

export interface KeptWal {
  readonly id: string;
  readonly bytes: number;
  readonly ageMs: number;
}

export interface Pruning {
  readonly remove: readonly (KeptWal & { readonly because: 'old' | 'limit'; readonly isYoung: boolean })[];
  /** What may be kept of the new WAL. */
  readonly roomBytes: number;
}

const dayMs = 86_400_000;
const youngMs = 7 * dayMs;
export const keptWalLimits: KeptWalLimits = { maxBytes: 4 * 1024 ** 3, keepMs: 30 * dayMs };

/** As a node file says it. */
export function keptWalLimitsOf(declared: { readonly maxMb: number; readonly keepDays: number } | null): KeptWalLimits {
  if (declared === null) return keptWalLimits;
  return { maxBytes: declared.maxMb * 1024 ** 2, keepMs: declared.keepDays * dayMs };
}

/**
 * Room is made for `incomingBytes`, oldest first: what is new is worth more than what was there. Nothing makes room for
 * what would not fit into an empty limit either; its data directory is set aside as a whole then.
 */
export function planPruning(kept: readonly KeptWal[], limits: KeptWalLimits, incomingBytes: number): Pruning {
  const oldestFirst = [...kept].sort((a, b) => b.ageMs - a.ageMs);
  const remove: Pruning['remove'][number][] = [];
  let left = oldestFirst.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const each of oldestFirst) {
    const isOld = each.ageMs > limits.keepMs;
    const wantsRoom = incomingBytes <= limits.maxBytes && left + incomingBytes > limits.maxBytes;
    if (!isOld && !wantsRoom) continue;
    if (each.bytes === 0) continue;
    remove.push({ ...each, because: isOld ? 'old' : 'limit', isYoung: each.ageMs < youngMs });
    left -= each.bytes;
  }
  return { remove, roomBytes: Math.max(0, limits.maxBytes - left) };
}
