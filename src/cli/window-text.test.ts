import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecoverableWindow, Stretch } from '../core/backups/window.ts';
import { describeWindow, drawWindow } from './window-text.ts';

const nowMs = Date.parse('2026-11-22T12:00:00Z');
const ms = (text: string) => Date.parse(text);
const stretch = (from: string, to: string | number, change: Partial<Stretch> = {}): Stretch => ({
  fromMs: ms(from),
  toMs: typeof to === 'number' ? to : ms(to),
  endLsn: '0/1000000',
  end: { because: 'archive-ends' },
  backups: [],
  ...change,
});
const of = (...stretches: readonly Stretch[]): RecoverableWindow => ({ stretches, unusable: [] });
const missing = { end: { because: 'wal-missing', segment: '000000010000000000000007' } } as const;
const whole = of(stretch('2026-10-16T02:40:00Z', nowMs - 41_000));
const broken = of(
  stretch('2026-10-16T02:40:00Z', '2026-11-02T03:10:00Z', missing),
  stretch('2026-11-02T05:00:00Z', nowMs - 41_000),
);

describe('in words', () => {
  it.each([
    ['past: nothing yet', of()],
    ['past: Oct 16 to 41 s ago', whole],
    ['past: Nov 22 02:40 to 41 s ago', of(stretch('2026-11-22T02:40:00Z', nowMs - 41_000))],
    ['past: Oct 16 to 41 s ago, but for Nov 2 03:10 to Nov 2 05:00', broken],
    [
      'past: Oct 16 to 3 d ago, but for Nov 19 12:00 to now',
      of(stretch('2026-10-16T02:40:00Z', '2026-11-19T12:00:00Z', missing)),
    ],
  ])('%s', (text, window) => {
    expect(describeWindow(window, nowMs)).toBe(text);
  });

  it('counts many gaps', () => {
    const days = [1, 2, 3, 4, 5].map((day) =>
      stretch(`2026-11-0${day}T02:00:00Z`, `2026-11-0${day}T20:00:00Z`, missing),
    );
    expect(describeWindow(of(...days), nowMs)).toMatch(/ ago, but for 5 gaps$/);
  });
});

describe('drawn', () => {
  it('with its backups, its gap and its dates', () => {
    const marks = [
      { atMs: ms('2026-10-16T02:40:00Z'), letter: 'F' },
      { atMs: ms('2026-10-26T02:40:00Z'), letter: 'd' },
      { atMs: ms('2026-11-02T05:00:00Z'), letter: 'F' },
    ];
    expect(drawWindow(broken, marks, nowMs, 38)).toEqual([
      'F─────────d──────·────────────────────',
      'Oct 16           Nov 2             now',
    ]);
  });

  it('not at all where there is nothing to look back to, or no room', () => {
    expect(drawWindow(of(), [], nowMs, 60)).toEqual([]);
    expect(drawWindow(whole, [], nowMs, 11)).toEqual([]);
  });

  it('so that every gap is seen, and nothing else is one', () => {
    const edges = fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 9 });
    const marked = fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 5 });
    fc.assert(
      fc.property(edges, marked, fc.integer({ min: 12, max: 120 }), (minutes, backups, width) => {
        const at = (minute: number) => nowMs - (10_001 - minute) * 60_000;
        const sorted = [0, ...minutes.toSorted((a, b) => a - b)];
        const stretches = Array.from({ length: Math.floor(sorted.length / 2) }, (_, index) => ({
          ...stretch('2026-10-16T02:40:00Z', at(sorted[2 * index + 1] ?? 0), missing),
          fromMs: at(sorted[2 * index] ?? 0),
        }));
        const marks = backups.map((minute) => ({ atMs: at(minute), letter: 'F' }));
        const window = of(...stretches);
        const [line = '', below = ''] = drawWindow(window, marks, nowMs, width);
        expect([line.length, below.length]).toEqual([width, width]);
        const columnMs = (nowMs - at(0)) / width;
        const cellAt = (moment: number) => Math.min(width - 1, Math.floor((moment - at(0)) / columnMs));
        for (const [index, { toMs }] of stretches.entries()) {
          const end = cellAt(stretches[index + 1]?.fromMs ?? nowMs);
          expect(line.slice(cellAt(toMs), end + 1)).toContain('·');
        }
        for (const [index, cell] of [...line].entries()) {
          const [from, to] = [at(0) + index * columnMs, at(0) + (index + 1) * columnMs];
          const isWhole = stretches.some((each) => each.fromMs <= from && to <= each.toMs);
          if (isWhole) expect(cell).not.toBe('·');
        }
      }),
      { numRuns: 200 },
    );
  });
});
