import { expect, it } from 'vitest';
import { backupOf, iso, lsnIn } from '../../../test/fixtures/backups.ts';
import { lsnFromOffset } from '../lsn.ts';
import { newestArchived, withHeartbeat } from './heartbeats.ts';
import { retention } from './retention.ts';
import { isOnPath, timelineOfSegment, timelinePath } from './timeline-path.ts';

it('a full backup stays until the next one reaches back as far, and what builds on it as long', () => {
  const backups = [
    backupOf('A', 'full', '2026-10-04T02:30:00Z'),
    backupOf('B', 'differential', '2026-10-05T02:30:00Z', { prior: 'A' }),
    backupOf('C', 'incremental', '2026-10-06T02:30:00Z', { prior: 'B' }),
    backupOf('D', 'full', '2026-10-11T02:30:00Z'),
    backupOf('E', 'differential', '2026-10-12T02:30:00Z', { prior: 'D' }),
  ];
  const kept = [...retention({ keepDays: 35 }, backups)].map(([label, ms]) => [label, ms === null ? null : iso(ms)]);
  const until = '2026-11-15T02:40:00.000Z';
  expect(kept).toEqual([
    ['A', until],
    ['B', until],
    ['C', until],
    ['D', null],
    ['E', null],
  ]);
});

const lsn = (number: number) => lsnFromOffset(lsnIn(number));
const fork = { timeline: 2, parent: 1, forkLsn: '0/A000000' };
const path = timelinePath([{ timeline: 1, parent: null, forkLsn: '0/0' }, fork], 2);

it('the path leads over the forks, and leaves out what is past them', () => {
  expect(path.map(({ timeline, to }) => [timeline, to])).toEqual([
    [1, 0xa000000n],
    [2, null],
  ]);
  expect(isOnPath(path, 1, lsnFromOffset(0xa000000n))).toBe(true);
  expect(isOnPath(path, 1, lsnFromOffset(0xa000001n))).toBe(false);
  expect(isOnPath(path, 3, lsn(20))).toBe(false);
  expect([9n, 10n, 11n].map((number) => timelineOfSegment(path, number, 16 * 1024 * 1024))).toEqual([1, 2, 2]);
  // A record that names itself leads nowhere.
  expect(timelinePath([{ timeline: 4, parent: 4, forkLsn: '0/1' }], 4)).toHaveLength(1);
  expect(timelinePath([], 4)).toHaveLength(1);
});

it('the newest commit in the repository is the newest heartbeat which is archived', () => {
  const heartbeats = [
    { atMs: 1_000, timeline: 1, lsn: lsn(5) },
    { atMs: 2_000, timeline: 1, lsn: lsn(12) }, // past the fork
    { atMs: 3_000, timeline: 2, lsn: lsn(13) },
    { atMs: 4_000, timeline: 2, lsn: lsn(15) },
  ];
  const at = (number: number, timeline = 2) =>
    newestArchived({ heartbeats, archived: { timeline, lsn: lsn(number) }, path })?.atMs;
  expect([at(20), at(14), at(12), at(4)]).toEqual([4_000, 3_000, 1_000, undefined]);
  expect(at(12, 1)).toBeUndefined();
  expect(newestArchived({ heartbeats, archived: null, path })).toBeNull();
});

it('keeps few heartbeats, and always the newest and the oldest', () => {
  const beat = (number: number) => ({ atMs: number, timeline: 1, lsn: lsn(number) });
  let kept = [beat(1)];
  for (let number = 2; number <= 1_000; number += 1) kept = [...withHeartbeat(kept, beat(number), 16)];
  expect(kept.length).toBeLessThanOrEqual(16);
  expect([kept[0]?.atMs, kept.at(-1)?.atMs]).toEqual([1, 1_000]);
});
