import fc from 'fast-check';
import { expect, it } from 'vitest';
import { iso } from '../../../test/fixtures/backups.ts';
import { drawLater, drawMoment, isProvable, judgeHeartbeat, momentAgain, type ProofResult } from './proof.ts';

const hour = 3_600_000;
const spans = [
  { fromMs: 0, toMs: 2 * hour },
  { fromMs: 5 * hour, toMs: 5 * hour + 1_000 },
  { fromMs: 10 * hour, toMs: 12 * hour },
];

it('draws a moment that can be proven, and each part of the window is as likely as any other', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (draw) => {
      const moment = drawMoment(spans, draw);
      expect(moment !== null && isProvable(spans, moment)).toBe(true);
    }),
  );
  const drawn = [0, 0.25, 0.499, 0.5, 0.75].map((draw) => Math.round((drawMoment(spans, draw) ?? 0) / 60_000));
  expect(drawn).toEqual([0, 60, 120, 600, 660]);
});

it('draws none where there is nothing behind the end of a backup', () => {
  expect(drawMoment([], 0.5)).toBeNull();
  expect(drawMoment([{ fromMs: 1_000, toMs: 3_000 }], 0.5)).toBeNull();
  expect([isProvable(spans, 1_000), isProvable(spans, 5 * hour + 500), isProvable(spans, 2 * hour)]).toEqual([
    false,
    false,
    false,
  ]);
});

it('goes on to later moments of the same stretch alone', () => {
  const later = drawLater(spans, hour, 0.5) ?? 0;
  expect(later).toBeGreaterThan(hour + 30_000);
  expect(later).toBeLessThan(2 * hour);
  expect(drawLater(spans, 2 * hour - 30_000, 0.5)).toBeNull();
  expect(drawLater(spans, 3 * hour, 0.5)).toBeNull();
});

it.each([
  ['there', iso(hour - 5_000)],
  ['there', iso(hour)],
  ['silent', iso(hour - 61_000)],
  ['silent', null],
  ['later', iso(hour + 1)],
] as const)('a heartbeat is %s: %s', (is, at) => {
  expect(judgeHeartbeat(at, hour).is).toBe(is);
});

it('tries a moment again that could not be restored, or not be tried', () => {
  const result: ProofResult = {
    ...{ moment: iso(hour), label: 'A', walBytes: 1, tookMs: 1, checks: [], findings: [], failedIn: null },
  };
  const again = (failedIn: ProofResult['failedIn']) => momentAgain({ wanted: null, result: { ...result, failedIn } });
  expect([again(null), again('heartbeat'), again('recover'), again('amcheck')]).toEqual([
    null,
    null,
    iso(hour),
    iso(hour),
  ]);
  expect(momentAgain({ wanted: iso(hour), result: null })).toBe(iso(hour));
  expect(momentAgain({ wanted: null, result: null })).toBeNull();
});
