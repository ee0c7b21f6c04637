import { expect, it } from 'vitest';
import { backupOf, lsnIn, segment, segmentBytes } from '../../../test/fixtures/backups.ts';
import type { ArchivedWal } from '../backup-run.ts';
import { lsnFromOffset } from '../lsn.ts';
import type { ArchivedRange, RepositoryContents } from '../repository.ts';
import { archivedWal, windowOf } from './archived-wal.ts';
import { formatMoment } from './moments.ts';
import { timelinePath } from './timeline-path.ts';

const t0 = Date.parse('2026-10-16T02:30:00Z');
const minute = 60_000;
const path = timelinePath([], 1);
const contents: RepositoryContents = {
  ...{ state: 'ok', trouble: null, archived: null },
  backups: [backupOf('A', 'full', t0 - 10 * minute), backupOf('B', 'full', t0 + 3_100 * minute, { first: 3_110 })],
};

/** Segment n is written in minute n, and looked at after it; from `missing` to 3,105 nothing is there. */
function looked(until: number, missing: number): ArchivedWal | null {
  let archive: ArchivedWal | null = null;
  for (let number = 2; number <= until; number += 1) {
    const last = { first: segment(Math.max(1, number > 3_105 ? 3_106 : 1)), last: segment(number) };
    const before: ArchivedRange = { first: segment(1), last: segment(missing - 1) };
    const ranges = number > 3_105 ? [before, last] : [{ ...before, last: segment(Math.min(number, missing - 1)) }];
    const isThere = number < missing || number > 3_105;
    const newest = isThere ? { atMs: t0 + number * minute, timeline: 1, lsn: lsnFromOffset(lsnIn(number)) } : null;
    archive = archivedWal({ segmentBytes, ranges, contents, path, newest, before: archive });
  }
  return archive;
}

it('knows where a gap began however long ago, and keeps little', () => {
  const archive = looked(5_000, 2_000);
  expect(archive?.marks.length).toBeLessThan(70);
  const window = archive && windowOf({ archive, contents, safeUntil: null }, path);
  expect(window?.stretches.map(({ toMs }) => (toMs - t0) / minute)).toEqual([1_999, 5_000]);
});

it('lets the oldest stretches go where they are too many, and says of no backup that it lasts without them', () => {
  const ranges = Array.from({ length: 300 }, (_, index) => ({
    first: segment(3 * index + 1),
    last: segment(3 * index + 2),
  }));
  const archive = archivedWal({ segmentBytes, ranges, contents, path, newest: null, before: null });
  expect(archive.ranges).toEqual(ranges.slice(100));
  expect(windowOf({ archive, contents, safeUntil: null }, path)?.stretches).toEqual([]);
});

it('goes on to the newest commit that was archived since the WAL was listed, but over no gap', () => {
  const safeUntil = formatMoment(t0 + 5_001 * minute + 7_000);
  const ends = (archive: ArchivedWal | null, safe: string) =>
    (archive === null ? null : windowOf({ archive, contents, safeUntil: safe }, path))?.stretches.map(
      ({ toMs }) => toMs - t0,
    );
  expect(ends(looked(5_000, 2_000), safeUntil)).toEqual([1_999 * minute, 5_001 * minute + 7_000]);
  // What was told before the last look is no end.
  expect(ends(looked(5_000, 2_000), formatMoment(t0))).toEqual([1_999 * minute, 5_000 * minute]);
});

it('says nothing of a window before the WAL was listed', () => {
  expect(windowOf({ archive: null, contents, safeUntil: null }, path)).toBeNull();
});
