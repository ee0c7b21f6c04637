import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMoment, parseMoment } from './moments.ts';
import { type LocalTime, parseTarget, type Target, targetText } from './target.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const utc = ({ year, month, day, hour, minute, second }: LocalTime): readonly number[] => [
  Date.UTC(year, month - 1, day, hour, minute, second),
];
const read = (text: string, momentsOf = utc) => parseTarget(text, { nowMs, momentsOf });
const time = (value: string) => ({ target: { type: 'time', value, atMs: Date.parse(value) } });

describe('what people write', () => {
  it.each([
    ['2026-11-19 14:00', '2026-11-19T14:00:00.000Z'],
    ['2026-11-19T14:00:00Z', '2026-11-19T14:00:00.000Z'],
    ['2026-11-19 14:00:05.25', '2026-11-19T14:00:05.250Z'],
    ['2026-11-19T14:00:00.123456+02:00', '2026-11-19T12:00:00.123456Z'],
    ['2026-11-19 14:00 +0200', '2026-11-19T12:00:00.000Z'],
    ['2026-11-19 14:00-05', '2026-11-19T19:00:00.000Z'],
    ['2026-11-19 14:00 UTC', '2026-11-19T14:00:00.000Z'],
    ['2 h ago', '2026-11-22T10:00:00.000Z'],
    ['45 min ago', '2026-11-22T11:15:00.000Z'],
    ['1 d 6 h ago', '2026-11-21T06:00:00.000Z'],
    ['1.5 hours ago', '2026-11-22T10:30:00.000Z'],
    ['90s ago', '2026-11-22T11:58:30.000Z'],
  ])('%s', (text, value) => expect(read(text)).toEqual(time(value)));

  it.each([
    ['latest', { type: 'latest' }],
    ['0/3000028', { type: 'lsn', value: '0/3000028' }],
    ['lsn:11/19', { type: 'lsn', value: '11/19' }],
    ['xid:1234', { type: 'xid', value: '1234' }],
    ['name:before-upgrade', { type: 'name', value: 'before-upgrade' }],
    ['name: Two words', { type: 'name', value: 'Two words' }],
  ])('%s', (text, target) => expect(read(text)).toEqual({ target }));

  it.each([
    ['11/19', 'date or a position'],
    ['19.11.2026 14:00', 'year-month-day'],
    ['2026-11-19', 'say the time'],
    ['14:00', 'of no day'],
    ['1234', 'xid:1234'],
    ['5 m ago', 'minutes or months'],
    ['1 month ago', 'no span of a fixed length'],
    ['h ago', 'not understood'],
    ['2026-11-19 14:00 CET', 'offset'],
    ['2026-02-30 10:00', 'there is no'],
    ['2026-11-19 24:00', 'there is no'],
    ['2026-11-22 12:01', 'still to come'],
    ['xid:0', 'no transaction id'],
    ['xid:4294967296', 'no transaction id'],
    ['name:', '1 to 63'],
    ['yesterday', 'not understood'],
    ['', 'not understood'],
  ])('refuses %s', (text, refused) => expect(read(text)).toEqual({ refused: expect.stringContaining(refused) }));

  it('takes no side where clocks showed a time twice, or never', () => {
    const twice = read('2026-10-25 02:30', (at) => [...utc(at), (utc(at)[0] ?? 0) + 3_600_000]);
    expect(twice).toEqual({
      refused: expect.stringContaining('2026-10-25T02:30:00.000Z or 2026-10-25T03:30:00.000Z'),
    });
    expect(read('2026-03-29 02:30', () => [])).toEqual({ refused: expect.stringContaining('never showed') });
  });

  it('writes every moment so that it is read again as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
        expect(formatMoment(ms)).toBe(new Date(ms).toISOString());
        expect(parseMoment(formatMoment(ms))).toBe(ms);
      }),
    );
  });
});

it.each<[string, Target]>([
  ['latest', { type: 'latest' }],
  [
    '2026-11-19T14:00:00.000001Z',
    { type: 'time', value: '2026-11-19T14:00:00.000001Z', atMs: Date.UTC(2026, 10, 19, 14) },
  ],
  // Without the word before it this may be a date.
  ['lsn:11/19', { type: 'lsn', value: '11/19' }],
  ['xid:4711', { type: 'xid', value: '4711' }],
  ['name:before: it', { type: 'name', value: 'before: it' }],
])('%s is told as it is read again', (text, target) => {
  expect(targetText(target)).toBe(text);
  expect(read(text)).toEqual({ target });
});
