import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestGap } from './gaps.ts';

describe('the longest gap', () => {
  it('is the longest stretch in which no time lies', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 120 })), fc.integer({ min: 1, max: 100 }), (times, endMs) => {
        const { fromMs, ms } = longestGap(times, endMs);
        const within = times.filter((time) => time <= endMs);
        // Nobody committed inside it, and it can't be made longer on either side.
        expect(within.some((time) => time > fromMs && time < fromMs + ms)).toBe(false);
        const edges = [0, ...within, endMs];
        const pairs = edges.flatMap((from) => edges.map((to) => ({ from, to })));
        const longest = pairs.filter(({ from, to }) => from < to && !within.some((time) => time > from && time < to));
        expect(ms).toBe(Math.max(0, ...longest.map(({ from, to }) => to - from)));
      }),
    );
  });

  it('is everything when nothing was committed', () => {
    expect(longestGap([], 5_000)).toEqual({ ms: 5_000, fromMs: 0 });
  });

  it('counts up to the end of the load, and not beyond it', () => {
    expect(longestGap([100, 9_000], 4_000)).toEqual({ ms: 3_900, fromMs: 100 });
  });
});
