import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupOf, lsnIn, segment, segmentBytes } from '../../../test/fixtures/backups.ts';
import { formatLsn, lsnFromOffset } from '../lsn.ts';
import type { RepositoryBackup } from '../repository.ts';
import type { Heartbeat } from './heartbeats.ts';
import { type Fork, timelineOfSegment, timelinePath } from './timeline-path.ts';
import { rangesOf, recoverableWindow } from './window.ts';

const forks: readonly Fork[] = [
  { timeline: 1, parent: null, forkLsn: '0/0' },
  { timeline: 2, parent: 1, forkLsn: formatLsn(lsnFromOffset(lsnIn(10, 500_000))) },
];
const [first, second] = [timelinePath(forks, 1), timelinePath(forks, 2)];
const t0 = Date.parse('2026-10-16T02:30:00Z');
const minute = 60_000;
/** Segment n is written in minute n; its heartbeat comes in the middle. */
const beat = (number: number, timeline = 1): Heartbeat => ({
  atMs: t0 + number * minute,
  timeline,
  lsn: lsnFromOffset(lsnIn(number, 8_000_000)),
});
const span = (from: number, to: number, timeline = 1) =>
  Array.from({ length: to - from + 1 }, (_, index) => segment(from + index, timeline));
const backup = (label: string, number: number, timeline = 1): RepositoryBackup =>
  backupOf(label, 'full', t0 + number * minute - 600_000, { first: number, timeline });

interface Given {
  readonly backups: readonly RepositoryBackup[];
  readonly names: readonly string[];
  readonly heartbeats?: readonly Heartbeat[];
  readonly path?: typeof first;
}
const windowOf = ({ backups, names, heartbeats = [], path = first }: Given) =>
  recoverableWindow({ backups, archived: rangesOf(names, segmentBytes), path, segmentBytes, heartbeats });

it('segments in any order are stretches of one timeline without a gap', () => {
  const names = [...span(250, 260), segment(4), segment(3), segment(5, 2), '00000002.history', `${segment(6)}.partial`];
  expect(rangesOf(names, segmentBytes)).toEqual([
    { first: segment(3), last: segment(4) },
    { first: segment(250), last: segment(260) },
    { first: segment(5, 2), last: segment(5, 2) },
  ]);
});

describe('one can look back', () => {
  const beats = Array.from({ length: 30 }, (_, index) => beat(index));

  it("from the first backup's end to the newest heartbeat that is archived", () => {
    const found = windowOf({ backups: [backup('A', 2), backup('B', 5)], names: span(1, 8), heartbeats: beats });
    expect(found).toEqual({
      stretches: [
        {
          fromMs: t0 + 2 * minute,
          toMs: t0 + 8 * minute,
          endLsn: formatLsn(lsnFromOffset(lsnIn(9, 0))),
          end: { because: 'archive-ends' },
          backups: ['A', 'B'],
        },
      ],
      unusable: [],
    });
  });

  it('not over a missing segment, until the next backup', () => {
    const names = [...span(1, 5), ...span(7, 20)];
    const found = windowOf({ backups: [backup('A', 2), backup('B', 12)], names, heartbeats: beats });
    expect(found.stretches).toMatchObject([
      {
        fromMs: t0 + 2 * minute,
        toMs: t0 + 5 * minute,
        end: { because: 'wal-missing', segment: segment(6) },
        backups: ['A'],
      },
      { fromMs: t0 + 12 * minute, toMs: t0 + 20 * minute, end: { because: 'archive-ends' }, backups: ['B'] },
    ]);
  });

  it('over a change of timeline, in the segments of the new one from the fork on', () => {
    const names = [...span(1, 9), ...span(10, 14, 2)];
    const heartbeats = [
      ...Array.from({ length: 10 }, (_, index) => beat(index)),
      ...[11, 12].map((each) => beat(each, 2)),
    ];
    // What the old timeline had past the fork is not of this past.
    const lost = beat(13, 1);
    const found = windowOf({ backups: [backup('A', 2)], names, heartbeats: [...heartbeats, lost], path: second });
    expect(found.stretches).toMatchObject([{ toMs: t0 + 12 * minute, end: { because: 'archive-ends' } }]);
  });

  it('not by a backup that lacks WAL of its own, or what it builds on, or was made past a fork', () => {
    const based = { ...backup('D', 4), kind: 'differential' as const, prior: 'gone' };
    const backups = [{ ...backup('A', 2), lastWal: segment(3) }, based, backup('X', 12, 1)];
    const names = [...span(1, 2), ...span(4, 9), ...span(10, 12, 2)];
    expect(windowOf({ backups, names, path: second })).toEqual({
      stretches: [],
      unusable: [
        { label: 'A', because: 'wal-missing' },
        { label: 'D', because: 'prior-missing' },
        { label: 'X', because: 'other-timeline' },
      ],
    });
  });
});

it('says exactly of those heartbeats that they can be recovered to whose every segment is there', () => {
  const last = 24;
  const given = fc.record({
    present: fc
      .array(fc.boolean(), { minLength: last + 1, maxLength: last + 1 })
      .map((all) => all.map((each, n) => each || n % 3 > 0)),
    at: fc.uniqueArray(fc.integer({ min: 0, max: last - 1 }), { maxLength: 4 }),
    long: fc.integer({ min: 0, max: 2 }),
  });
  const ownerOf = (n: number) => timelineOfSegment(second, BigInt(n), segmentBytes) ?? 0;
  fc.assert(
    fc.property(given, ({ present, at, long }) => {
      const names = present.flatMap((isThere, n) => (isThere ? [segment(n, ownerOf(n))] : []));
      const backups = at.map((n) => {
        const end = Math.min(n + long, last);
        const ends = { lastWal: segment(end, ownerOf(end)), stopLsn: formatLsn(beat(end).lsn) };
        return { ...backup(`B${n}`, end, ownerOf(n)), firstWal: segment(n, ownerOf(n)), ...ends };
      });
      const heartbeats = present.map((_, n) => beat(n, n === 10 ? 2 : ownerOf(n)));
      const { stretches, unusable } = windowOf({ backups, names, heartbeats, path: second });
      const isRecoverable = (n: number) =>
        at.some((from) => {
          const end = Math.min(from + long, last);
          const needed = Array.from({ length: Math.max(end, n) - from + 1 }, (_, index) => from + index);
          return end <= n && needed.every((each) => present[each] === true);
        });
      for (const [n, { atMs }] of heartbeats.entries()) {
        const isInside = stretches.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs);
        expect(isInside, `heartbeat ${n}`).toBe(isRecoverable(n));
      }
      expect(stretches.flatMap((stretch) => stretch.backups).length + unusable.length).toBe(backups.length);
      const edges = stretches.flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
      expect(edges).toEqual(edges.toSorted((a, b) => a - b));
    }),
    { numRuns: 300 },
  );
});
