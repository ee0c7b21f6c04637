import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCron, isTimeZone, nextAfter } from './cron.ts';

const next = (expression: string, zone: string, from: string) => {
  const found = nextAfter(expression, zone, Date.parse(from));
  return found === null ? null : new Date(found).toISOString();
};

describe('the next time', () => {
  it('is after the moment itself', () => {
    expect(next('30 2 * * 0', 'UTC', '2026-11-22T02:30:00Z')).toBe('2026-11-29T02:30:00.000Z');
    expect(next('30 2 * * 0', 'UTC', '2026-11-22T02:29:59.999Z')).toBe('2026-11-22T02:30:00.000Z');
  });

  it('follows the clocks of the zone, and comes once on each day that changes them', () => {
    const through = (from: string) => {
      const first = next('30 2 * * *', 'Europe/Berlin', from);
      return [first, next('30 2 * * *', 'Europe/Berlin', first ?? '')];
    };
    // 02:30 is left out: it comes after the hour. And 02:30 comes twice: it comes once.
    expect(through('2026-03-28T12:00:00Z')).toEqual(['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']);
    expect(through('2026-10-24T12:00:00Z')).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });

  it('never comes on February 30', () => {
    expect(nextAfter('0 0 30 2 *', 'UTC', 0)).toBeNull();
  });

  it('is the same, whatever was asked before', () => {
    const moments = fc.array(fc.integer({ min: 0, max: 14 * 24 }), { minLength: 1, maxLength: 12 });
    const hour = (moment: number) => Date.parse('2026-11-01T00:00:00Z') + moment * 3_600_000;
    fc.assert(
      fc.property(moments, (asked) => {
        // Of the cron itself: every 02:30 on one of the days 1 to 6 of the week.
        for (const moment of asked) {
          let expected = hour(moment) - (hour(moment) % 86_400_000) + 9_000_000;
          while (expected <= hour(moment) || new Date(expected).getUTCDay() === 0) expected += 86_400_000;
          expect(nextAfter('30 2 * * 1-6', 'UTC', hour(moment))).toBe(expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('always lies ahead', () => {
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
    const expression = fc.constantFrom('30 2 * * *', '*/7 * * * *', '0 0 1 * *', '30 2 * * 0');
    fc.assert(
      fc.property(expression, zone, fc.integer({ min: 1.7e12, max: 1.9e12 }), (cron, timeZone, fromMs) => {
        expect(nextAfter(cron, timeZone, fromMs)).toBeGreaterThan(fromMs);
      }),
      { numRuns: 60 },
    );
  });
});

it.each(['30 2 * * 0', '*/5 * * * *', '0 3 1,15 * *', '30 2 * JAN SUN', '0 4 L * *'])(
  '%j is a cron expression',
  (text) => {
    expect(isCron(text)).toBe(true);
  },
);

it.each(['', '30 2 * *', '0 30 2 * * 0', '@weekly', '60 2 * * 0', '30 2 * * 6-1', 'a b c d e'])(
  '%j is none',
  (text) => {
    expect(isCron(text)).toBe(false);
  },
);

it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'])('%s is a time zone', (name) => {
  expect(isTimeZone(name)).toBe(true);
});

it.each(['', '+01:00', 'Europe/Nowhere', 'CET-1CEST,M3.5.0'])('%j is none', (name) => {
  expect(isTimeZone(name)).toBe(false);
});
