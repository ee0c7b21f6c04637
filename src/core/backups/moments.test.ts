import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseMoment } from './moments.ts';

it('reads what the platform writes', () => {
  const moment = fc.date({
    min: new Date('1900-01-01T00:00:00Z'),
    max: new Date('2399-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(fc.property(moment, (date) => parseMoment(date.toISOString()) === date.getTime()));
});

it.each([
  '2026-11-22T02:30:00+01:00',
  '2026-03-01T00:15:00-05:30',
  '2024-02-29T12:00:00+0100',
  '2026-11-22T02:30:00.25Z',
])('reads %s in its zone', (text) => {
  expect(parseMoment(text)).toBe(Date.parse(text.replace('+0100', '+01:00')));
});

it.each(['', '2026-11-22', '2026-11-22T02:30:00', '2026-13-01T00:00:00Z', 'x2026-11-22T02:30:00Z'])(
  '%j is none',
  (text) => {
    expect(parseMoment(text)).toBeUndefined();
  },
);
