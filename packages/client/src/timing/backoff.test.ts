import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullJitterMs } from './backoff.ts';

it('is between nothing and a bound that doubles up to its cap, however often it failed', () => {
  const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      draws,
      fc.nat(1_000),
      fc.nat(60_000),
      (failed, draw, baseMs, capMs) => {
        const ms = fullJitterMs({ baseMs, capMs }, failed, draw);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(capMs);
        if (failed <= 20) expect(ms).toBeLessThanOrEqual(baseMs * 2 ** (failed - 1));
      },
    ),
  );
  expect([1, 2, 3, 9].map((failed) => fullJitterMs({ baseMs: 10, capMs: 100 }, failed, 0.5))).toEqual([5, 10, 20, 50]);
});
