/** The longest time without a successful commit: what an outage looks like from outside. */
export interface Gap {
  /** To a tenth. */
  readonly ms: number;
  /** When it began, in ms since the load began. */
  readonly fromMs: number;
}

/**
 * `times`: when commits were acknowledged, in ms since the load began, in any order. From the beginning to the end; so
 * one commit in the middle leaves two gaps. Commits after the end do not count.
 */
export function longestGap(times: readonly number[], endMs: number): Gap {
  const sorted = times.filter((time) => time <= endMs).sort((a, b) => a - b);
  let last = 0;
  let longest: Gap = { ms: 0, fromMs: 0 };
  for (const time of [...sorted, endMs]) {
    if (time - last > longest.ms) longest = { ms: time - last, fromMs: last };
    last = time;
  }
  return { ms: tenth(longest.ms), fromMs: tenth(longest.fromMs) };
}

/** A difference of two floats has digits that were never measured. */
function tenth(ms: number): number {
  return Math.round(ms * 10) / 10;
}
