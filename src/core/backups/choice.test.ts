import { expect, it } from 'vitest';
import { backupOf, segment, segmentBytes } from '../../../test/fixtures/backups.ts';
import { type ChoiceFacts, chooseBackup, possibleText } from './choice.ts';
import type { Target } from './target.ts';
import { pathOfHistory } from './timeline-path.ts';

/** They end ten minutes after they begin. */
const backups = [
  backupOf('sunday', 'full', '2026-11-15T02:30:00Z', { first: 1, last: 2 }),
  backupOf('monday', 'differential', '2026-11-16T02:30:00Z', { prior: 'sunday', first: 10, last: 11 }),
  backupOf('tuesday', 'differential', '2026-11-17T02:30:00Z', { prior: 'sunday', first: 20, last: 21 }),
];
const facts: ChoiceFacts = {
  contents: { state: 'ok', trouble: null, backups, archived: { first: segment(1), last: segment(29) } },
  window: null,
  path: [],
  segmentBytes,
};
const time = (value: string): Target => ({ type: 'time', value, atMs: Date.parse(value) });
const chosen = (target: Target, given = facts) => {
  const choice = chooseBackup(given, target);
  return 'chosen' in choice ? choice.chosen.backup.label : choice.notPossible.because;
};
const window = {
  stretches: [
    { fromMs: Date.parse('2026-11-15T02:40:00Z'), toMs: Date.parse('2026-11-15T20:00:00Z') },
    { fromMs: Date.parse('2026-11-16T02:40:00Z'), toMs: Date.parse('2026-11-17T09:00:00Z') },
  ].map((stretch) => ({ ...stretch, endLsn: '0/1', end: { because: 'archive-ends' as const }, backups: [] })),
  unusable: [],
};

it('takes the youngest that had ended before the target', () => {
  expect(chosen(time('2026-11-16T02:39:59Z'))).toBe('sunday');
  expect(chosen(time('2026-11-16T02:40:00Z'))).toBe('monday');
  expect(chosen({ type: 'latest' })).toBe('tuesday');
  // In segment 21 the youngest was still under way.
  expect(chosen({ type: 'lsn', value: '0/15000010' })).toBe('monday');
  expect(chosen({ type: 'lsn', value: '0/16000000' })).toBe('tuesday');
});

it('takes the one that was asked for, where it can', () => {
  const from = (label: string) => ({ ...facts, label });
  expect(chosen({ type: 'latest' }, from('sunday'))).toBe('sunday');
  expect(chosen(time('2026-11-17T03:00:00Z'), from('monday'))).toBe('monday');
  expect(chosen(time('2026-11-16T02:00:00Z'), from('monday'))).toBe('too-early');
  expect(chooseBackup(from('friday'), { type: 'latest' })).toMatchObject({
    notPossible: { because: 'no-backup', text: 'there is no backup friday to recover from' },
  });
});

it('takes the oldest where nobody knows how far back the target is', () => {
  expect(chosen({ type: 'xid', value: '900' })).toBe('sunday');
  expect(chosen({ type: 'name', value: 'before' })).toBe('sunday');
});

it('says what would be possible instead', () => {
  expect(chooseBackup(facts, time('2026-11-15T02:39:59Z'))).toMatchObject({
    notPossible: { because: 'too-early', earliest: '2026-11-15T02:40:00.000Z', newest: null },
  });
  expect(chooseBackup({ ...facts, window }, time('2026-11-17T09:00:01Z'))).toMatchObject({
    notPossible: { because: 'too-late', newest: '2026-11-17T09:00:00.000Z' },
  });
  expect(chooseBackup({ ...facts, window }, time('2026-11-15T23:00:00Z'))).toMatchObject({
    notPossible: {
      because: 'gap',
      text: expect.stringMatching(/2026-11-15T20:00:00.000Z before it, and 2026-11-16T02:40:00.000Z after it/),
    },
  });
  expect(chooseBackup(facts, { type: 'lsn', value: '0/1E000001' })).toMatchObject({
    notPossible: { because: 'too-late', text: expect.stringContaining('0/1E000000') },
  });
  expect(chosen({ type: 'latest' }, { ...facts, contents: { ...facts.contents, backups: [] } })).toBe('no-backup');
  expect(chosen({ type: 'latest' }, { ...facts, contents: { ...facts.contents, state: 'foreign' } })).toBe(
    'repository',
  );
});

const torn = {
  unusable: [],
  stretches: window.stretches.map((stretch, index) => ({
    ...stretch,
    endLsn: '0/17000000',
    end: { because: 'wal-missing' as const, segment: segment(23) },
    backups: [index === 0 ? 'sunday' : 'tuesday'],
  })),
};

it('refuses what lies behind missing WAL, and says which is', () => {
  expect(chooseBackup({ ...facts, window: torn }, time('2026-11-18T00:00:00Z'))).toMatchObject({
    notPossible: {
      because: 'gap',
      text: expect.stringMatching(`from ${segment(23)} on\\): possible are 2026-11-17T09:00:00.000Z before it$`),
      possible:
        '2026-11-15T02:40:00.000Z to 2026-11-15T20:00:00.000Z, and 2026-11-16T02:40:00.000Z to 2026-11-17T09:00:00.000Z',
    },
  });
  expect(chosen({ type: 'lsn', value: '0/16000000' }, { ...facts, window: torn })).toBe('tuesday');
  expect(chosen({ type: 'lsn', value: '0/17000001' }, { ...facts, window: torn })).toBe('gap');
  expect(chosen({ type: 'lsn', value: '0/17000001' }, { ...facts, window })).toBe('tuesday');
});

it('leaves the clocks a margin', () => {
  const marked = { ...facts, clockMarginMs: 10_000, window };
  expect(chosen(time('2026-11-15T20:00:10Z'), marked)).toBe('sunday');
  expect(chosen(time('2026-11-15T20:00:11Z'), marked)).toBe('gap');
  expect(chosen(time('2026-11-17T09:00:10Z'), marked)).toBe('tuesday');
  expect(chosen(time('2026-11-17T09:00:11Z'), marked)).toBe('too-late');
});

it('says of many stretches how many there are, and of an end that is not known nothing', () => {
  const open = window.stretches.map((stretch) => ({ ...stretch, toMs: Number.POSITIVE_INFINITY }));
  expect(possibleText({ unusable: [], stretches: [...open, ...open, ...open] })).toMatch(
    /^2 earlier stretches, and .* to the end of the archive$/,
  );
  expect(possibleText(null)).toBeNull();
});

it('takes neither a backup with damaged pages nor one of another timeline, while there are others', () => {
  const damaged = backups.map((backup) => ({ ...backup, hasDamage: backup.label !== 'sunday' }));
  expect(chosen({ type: 'latest' }, { ...facts, contents: { ...facts.contents, backups: damaged } })).toBe('sunday');
  const allDamaged = backups.map((backup) => ({ ...backup, hasDamage: true }));
  expect(chosen({ type: 'latest' }, { ...facts, contents: { ...facts.contents, backups: allDamaged } })).toBe(
    'tuesday',
  );
  const unusable = [{ label: 'tuesday', because: 'other-timeline' as const }];
  expect(chosen({ type: 'latest' }, { ...facts, window: { ...window, unusable } })).toBe('monday');
});

it('passes over what a former primary wrote past the fork', () => {
  // Timeline 1 was left in segment 15: Tuesday's was made on what nobody went on with.
  const path = pathOfHistory(3, '1\t0/F000100\tno recovery target specified\n');
  expect(chosen({ type: 'latest' }, { ...facts, path })).toBe('monday');
  expect(chosen(time('2026-11-17T12:00:00Z'), { ...facts, path })).toBe('monday');
  const late = backupOf('wednesday', 'full', '2026-11-18T02:30:00Z', { timeline: 3, first: 16, last: 17 });
  const contents = { ...facts.contents, backups: [...backups, late] };
  expect(chosen({ type: 'latest' }, { ...facts, path, contents })).toBe('wednesday');
  // A moment before the switch is reached from what was before it.
  expect(chosen(time('2026-11-16T12:00:00Z'), { ...facts, path, contents })).toBe('monday');
  const skipped = pathOfHistory(3, '1\t0/1000\tx\n\n2\t0/2000\ty\n');
  expect(skipped.map(({ timeline, to }) => [timeline, to])).toEqual([
    [1, 0x1000n],
    [2, 0x2000n],
    [3, null],
  ]);
});

it('knows how much WAL that is', () => {
  const wal = (target: Target) => {
    const choice = chooseBackup(facts, target);
    return 'chosen' in choice ? (choice.chosen.walBytes ?? 0) / segmentBytes : null;
  };
  expect(wal({ type: 'latest' })).toBeCloseTo(10, 2);
  expect(wal({ type: 'lsn', value: '0/18000000' })).toBeCloseTo(4, 2);
  // Half way from Monday's end to Tuesday's.
  expect(wal(time('2026-11-16T14:40:00Z'))).toBeCloseTo(6, 0);
});
