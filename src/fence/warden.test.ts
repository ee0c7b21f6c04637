import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drop, extend, mayWrite, mustKill, unarmed, type Warden } from './warden.ts';

const message = fc.oneof(
  fc.record({
    do: fc.constant('extend' as const),
    term: fc.integer({ min: 1, max: 3 }),
    atMs: fc.integer({ min: 0, max: 10_000 }),
  }),
  fc.record({ do: fc.constant('drop' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
);

describe('the fence', () => {
  it('lets nothing through at or past the last deadline of the highest term, and kills from then on', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
        let warden: Warden = unarmed;
        let nowMs = 0;
        /** The oracle: what was confirmed, by hand. */
        let term = 0;
        let until: number | null = null;
        for (const one of messages) {
          if (one.do === 'wait') nowMs += one.ms;
          if (one.do === 'drop') {
            warden = drop(warden);
            until = null;
          }
          if (one.do === 'extend') {
            const answer = extend(warden, one.term, one.atMs);
            expect(answer.ok).toBe(one.term >= term);
            if (answer.ok) {
              until = one.term === term && until !== null ? Math.max(until, one.atMs) : one.atMs;
              term = one.term;
            }
            warden = answer.warden;
          }
          expect(mayWrite(warden, nowMs).ok).toBe(until !== null && nowMs < until);
          expect(mustKill(warden, nowMs)).toBe(until !== null && nowMs >= until);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
