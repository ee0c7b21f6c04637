/**
 * How long work on a whole database may take: so long that nothing but what hangs exceeds it, also on a slow disk that others use first.
 *
 * Where the size is known a bound grows with it; where it is not, it is one for the largest that is to be expected.
 */

const mebibyte = 1_048_576;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A restore, a replay, a dump: as long as an agent lets a backup take. */
export const longestWorkMs = 7 * 24 * hourMs;

/** Looking at each file of a directory once, without reading it. */
export const lookThroughMs = 2 * hourMs;

/** Reading a database a few times: 1 MiB a second. */
export function readWithinMs(bytes: number): number {
  return Math.min(longestWorkMs, hourMs + (bytes / mebibyte) * 1_000);
}

/** Copying a tree whose blocks are shared: what is written is where they lie, 64 MiB of them a second. */
export function shareWithinMs(bytes: number): number {
  return Math.min(longestWorkMs, 10 * minuteMs + (bytes / (64 * mebibyte)) * 1_000);
}
