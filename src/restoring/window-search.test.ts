import { beforeEach, expect, it } from 'vitest';
import { backupOf, segment, segmentBytes } from '../../test/fixtures/backups.ts';
import { type Fork, timelinePath } from '../core/backups/timeline-path.ts';
import type { ArchivedRange, RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type SearchedRepository, searchWindow } from './window-search.ts';

/** They end ten minutes after they begin. */
const backups = [
  backupOf('first', 'full', '2026-11-15T02:30:00Z', { first: 1, last: 2 }),
  backupOf('second', 'full', '2026-11-16T02:30:00Z', { first: 10, last: 11, timeline: 2 }),
];
const contents: RepositoryContents = {
  ...{ state: 'ok', trouble: null, backups },
  archived: { first: segment(1), last: segment(20, 2) },
};
const usual = { withinMs: 60_000, usualSegmentBytes: 1 };

let ranges: readonly ArchivedRange[];
let forks: readonly Fork[];
let putAt: Readonly<Record<string, string>>;
let asked: string[];
let failure: Error | null;

beforeEach(() => {
  ranges = [
    { first: segment(1), last: segment(5) },
    { first: segment(5, 2), last: segment(7, 2) },
    { first: segment(9, 2), last: segment(20, 2) },
  ];
  forks = [
    { timeline: 1, parent: null, forkLsn: '0/0' },
    { timeline: 2, parent: 1, forkLsn: '0/5000100' },
  ];
  putAt = { [segment(7, 2)]: '2026-11-15T20:00:00.000Z', [segment(20, 2)]: '2026-11-17T09:00:00.000Z' };
  [asked, failure] = [[], null];
});

const repository: SearchedRepository = {
  async archivedRanges() {
    if (failure !== null) throw failure;
    return ranges;
  },
  async archivedAt(name) {
    asked.push(name);
    return putAt[name] ?? null;
  },
};
const search = async (given = contents) =>
  await searchWindow(repository, { contents: given, path: forks.length === 0 ? [] : timelinePath(forks, 2) }, usual);
const ends = async () => (await search()).window?.stretches.map(({ toMs, end }) => [toMs, end.because]);

it('ends a stretch when the last segment before the gap was put there, on whichever timeline that is', async () => {
  expect(await ends()).toEqual([
    [Date.parse('2026-11-15T20:00:00Z'), 'wal-missing'],
    [Date.parse('2026-11-17T09:00:00Z'), 'archive-ends'],
  ]);
  expect(asked).toEqual([segment(7, 2), segment(20, 2)]);
  expect((await search()).segmentBytes).toBe(segmentBytes);
});

it('ends none later than the next begins, and leaves open what nobody knows', async () => {
  putAt = { [segment(7, 2)]: '2026-11-18T00:00:00.000Z' };
  expect(await ends()).toEqual([
    [Date.parse('2026-11-16T02:40:00Z'), 'wal-missing'],
    [Number.POSITIVE_INFINITY, 'archive-ends'],
  ]);
});

it('takes the only timeline of the backups where no history is there, and does not guess between several', async () => {
  forks = [];
  expect((await search()).window).toBeNull();
  const { window } = await search({ ...contents, backups: backups.slice(1) });
  expect(window?.stretches).toMatchObject([{ backups: ['second'], end: { because: 'archive-ends' } }]);
});

it('is not known where the archive can not be looked through, and without a backup', async () => {
  failure = new UnderstudyError('TIMEOUT', 'it took too long');
  expect(await search()).toEqual({ window: null, segmentBytes });
  expect(await search({ ...contents, backups: [] })).toEqual({ window: null, segmentBytes: 1 });
  failure = new TypeError('a mistake');
  await expect(search()).rejects.toThrow('a mistake');
});
