import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerOf, cutFor, cutTerm, type Instant, type PromiseRecord, promiseLeftMs, promiseTo } from './promise.ts';

const act = fc.oneof(
  fc.record({ do: fc.constant('cut' as const), term: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constant('promise' as const),
    term: fc.integer({ min: 1, max: 4 }),
    round: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8_000 }) }),
  fc.record({ do: fc.constant('reboot' as const) }),
);
const forMs = 6_060;

describe('a promise record', () => {
  it('never takes a cut back, never cuts within a promise, and never promises below a cut', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        let record: PromiseRecord = { kind: 'none' };
        let now: Instant = { nowMs: 1_000, bootId: 'boot-1' };
        /** The oracle: the end of the last promise of this boot. */
        let boundUntilMs = 0;
        let boots = 1;
        for (const one of acts) {
          const before = cutTerm(record);
          if (one.do === 'wait') now = { ...now, nowMs: now.nowMs + one.ms };
          if (one.do === 'reboot') {
            boots += 1;
            now = { nowMs: 10, bootId: `boot-${boots}` };
            boundUntilMs = 0;
          }
          if (one.do === 'cut') {
            const next = cutFor(record, one.term, now);
            expect(next === null).toBe(now.nowMs < boundUntilMs || before > one.term);
            record = next ?? record;
          }
          if (one.do === 'promise') {
            const next = promiseTo(record, { term: one.term, round: one.round, forMs }, now);
            if (before > one.term) expect(next).toBeNull();
            if (next !== null) boundUntilMs = Math.max(boundUntilMs, now.nowMs + forMs);
            record = next ?? record;
          }
          expect(cutTerm(record)).toBeGreaterThanOrEqual(before);
          expect(promiseLeftMs(record, now)).toBe(Math.max(0, boundUntilMs - now.nowMs));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not take an older round, or one of an earlier term, for a new promise', () => {
    const now = { nowMs: 1_000, bootId: 'boot' };
    const given = promiseTo({ kind: 'none' }, { term: 3, round: 5, forMs }, now);
    expect(given).not.toBeNull();
    if (given === null) return;
    expect(promiseTo(given, { term: 3, round: 5, forMs }, now)).toBeNull();
    expect(promiseTo(given, { term: 2, round: 9, forMs }, now)).toBeNull();
    expect(promiseTo(given, { term: 3, round: 6, forMs }, now)).toMatchObject({ round: 6 });
    expect(promiseTo(given, { term: 4, round: 1, forMs }, now)).toMatchObject({ term: 4 });
  });

  it('tells a holder that counts anew which round to go on from', () => {
    const now = { nowMs: 1_000, bootId: 'boot' };
    const record = promiseTo({ kind: 'none' }, { term: 3, round: 500, forMs }, now) ?? { kind: 'none' };
    expect(promiseTo(record, { term: 3, round: 1, forMs }, now)).toBeNull();
    const refusal = answerOf(record, 3, false);
    expect(refusal).toEqual({ given: false, round: 500 });
    expect(promiseTo(record, { term: 3, round: refusal.round + 1, forMs }, now)).toMatchObject({ round: 501 });
    expect(answerOf(record, 4, true)).toEqual({ given: true, round: 0 });
    expect(answerOf({ kind: 'cut', term: 4 }, 3, false)).toEqual({ given: false, round: 0 });
  });
});
