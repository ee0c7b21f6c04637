import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupOf, iso } from '../../../test/fixtures/backups.ts';
import { nextAfter } from '../../timing/cron.ts';
import type { RepositoryBackup, RepositoryState } from '../repository.ts';
import type { NextAfter } from './calendar.ts';
import { type Attempts, due, nextTimes, proofDue, retryDistanceMs, type Schedule, type ScheduledKind } from './due.ts';

const weekly: Schedule = { full: '30 2 * * 0', differential: '30 2 * * *', timeZone: 'UTC' };
const nothing: Attempts = { underWay: null, failed: {} };
const minute = 60_000;
const full = backupOf('F', 'full', '2026-11-15T02:30:01Z'); // a Sunday
const daily = (day: number) => backupOf(`D${day}`, 'differential', `2026-11-${day}T02:30:01Z`, { prior: 'F' });

function at(
  now: string,
  backups: readonly RepositoryBackup[],
  change: {
    schedule?: Partial<Schedule>;
    attempts?: Partial<Attempts>;
    state?: RepositoryState;
    isArchiving?: boolean | null;
  } = {},
) {
  const contents = { state: change.state ?? ('ok' as const), backups };
  const attempts = { ...nothing, ...change.attempts };
  const { isArchiving = true } = change;
  return due({ ...weekly, ...change.schedule }, { contents, attempts, isArchiving, nowMs: Date.parse(now), nextAfter });
}

describe('a backup is due', () => {
  it('at once where there is no full one', () => {
    expect(at('2026-11-18T12:00:00Z', [], { state: 'empty' })).toMatchObject({
      do: 'backup',
      kind: 'full',
      because: 'first',
    });
  });

  it('as soon as the primary archives, and not before, however the schedule goes', () => {
    const wait = { do: 'wait', because: 'archiving-off', untilMs: null };
    expect(at('2026-11-18T12:00:00Z', [], { isArchiving: false })).toEqual(wait);
    expect(at('2026-11-17T12:00:00Z', [full], { isArchiving: false })).toEqual(wait);
    expect(at('2026-11-15T12:00:00Z', [full], { isArchiving: false })).toMatchObject({ because: 'not-due' });
    expect(at('2026-11-18T12:00:00Z', [], { isArchiving: null })).toMatchObject({ do: 'backup' });
  });

  it('when its schedule comes round, and once', () => {
    expect(at('2026-11-16T02:29:59Z', [full])).toEqual({
      do: 'wait',
      because: 'not-due',
      untilMs: Date.parse('2026-11-16T02:30:00Z'),
    });
    expect(at('2026-11-16T02:30:00Z', [full])).toMatchObject({ kind: 'differential', because: 'scheduled' });
    expect(at('2026-11-16T02:50:00Z', [full, daily(16)])).toMatchObject({ do: 'wait', because: 'not-due' });
  });

  it('as a full one alone where both come round together', () => {
    expect(at('2026-11-22T02:30:00Z', [full, daily(21)])).toMatchObject({ kind: 'full', because: 'scheduled' });
    const next = backupOf('G', 'full', '2026-11-22T02:30:02Z');
    expect(at('2026-11-22T03:00:00Z', [full, daily(21), next])).toMatchObject({ do: 'wait', because: 'not-due' });
  });

  it('once, however often it was missed', () => {
    const late = '2026-12-10T12:00:00Z';
    expect(at(late, [full])).toEqual({
      do: 'backup',
      kind: 'full',
      because: 'missed',
      dueAtMs: Date.parse('2026-11-22T02:30:00Z'),
    });
    expect(at(late, [full, backupOf('G', 'full', late)])).toMatchObject({ do: 'wait', because: 'not-due' });
  });

  it('not again where the clock of whoever made it was a little behind', () => {
    const early = backupOf('G', 'full', '2026-11-22T02:29:30Z');
    expect(at('2026-11-22T02:45:00Z', [full, early])).toMatchObject({ do: 'wait', because: 'not-due' });
  });

  it('after failures at growing distances, and never forgotten', () => {
    const failed = (times: number) => ({
      attempts: { failed: { full: { times, lastAtMs: Date.parse('2026-11-22T02:40:00Z') } } },
    });
    expect(at('2026-11-22T02:44:00Z', [full], failed(1))).toEqual({
      do: 'wait',
      because: 'retry-later',
      untilMs: Date.parse('2026-11-22T02:45:00Z'),
    });
    expect(at('2026-11-22T02:45:00Z', [full], failed(1))).toMatchObject({ kind: 'full', because: 'retry' });
    expect(at('2026-11-22T03:39:00Z', [full], failed(99))).toMatchObject({ because: 'retry-later' });
    expect(at('2026-11-22T03:40:00Z', [full], failed(99))).toMatchObject({ kind: 'full', because: 'retry' });
    expect([0, 1, 2, 3, 4, 5, 6].map((times) => retryDistanceMs(times) / minute)).toEqual([0, 5, 10, 20, 40, 60, 60]);
  });
});

describe('no backup is due', () => {
  const never = { full: null, differential: null };
  it.each([
    ['under-way', at('2026-11-18T12:00:00Z', [], { attempts: { underWay: 'differential' } })],
    ['repository-foreign', at('2026-11-18T12:00:00Z', [], { state: 'foreign' })],
    ['repository-unreachable', at('2026-11-18T12:00:00Z', [], { state: 'unreachable' })],
    ['no-full', at('2026-11-18T12:00:00Z', [], { schedule: { full: null } })],
    ['not-due', at('2026-11-18T12:00:00Z', [], { schedule: never })],
  ])('%s', (because, found) => {
    expect(found).toEqual({ do: 'wait', because, untilMs: null });
  });

  it('before the repository was read', () => {
    const found = due(weekly, { contents: null, attempts: nothing, isArchiving: null, nowMs: 0, nextAfter });
    expect(found).toMatchObject({ do: 'wait', because: 'repository-unknown' });
  });
});

it('the next differential one is not where a full one does for it', () => {
  const shown = (now: string) => {
    const { full: next, differential } = nextTimes(weekly, { nowMs: Date.parse(now), nextAfter });
    return [next, differential].map((time) => (time === null ? null : iso(time)));
  };
  expect(shown('2026-11-21T12:00:00Z')).toEqual(['2026-11-22T02:30:00.000Z', '2026-11-23T02:30:00.000Z']);
  expect(shown('2026-11-22T12:00:00Z')).toEqual(['2026-11-29T02:30:00.000Z', '2026-11-23T02:30:00.000Z']);
});

it('a proof comes round by the schedule, from the first backup on', () => {
  const proof = { proof: '30 5 * * 0', timeZone: 'UTC' };
  const of = (now: string, last: string | null, since: string | null, times = 0) => {
    const ms = (text: string | null) => (text === null ? null : Date.parse(text));
    return proofDue(proof, {
      lastMs: ms(last),
      sinceMs: ms(since),
      nowMs: Date.parse(now),
      nextAfter,
      failed: times === 0 ? null : { times, lastAtMs: ms(last) ?? 0 },
    });
  };
  const first = '2026-11-18T12:00:00Z';
  expect(of('2026-11-25T12:00:00Z', null, null)).toBeNull();
  expect(of('2026-11-21T12:00:00Z', null, first)).toBeNull();
  expect(of('2026-11-22T05:31:00Z', null, first)).toBe(Date.parse('2026-11-22T05:30:00Z'));
  expect(of('2026-11-22T09:00:00Z', '2026-11-22T05:30:00Z', first)).toBeNull();
  expect(of('2026-11-22T06:29:00Z', '2026-11-22T05:30:00Z', first, 1)).toBeNull();
  expect(of('2026-11-22T06:31:00Z', '2026-11-22T05:30:00Z', first, 1)).toBe(Date.parse('2026-11-22T06:30:00Z'));
  expect(of('2026-11-23T05:29:00Z', '2026-11-22T05:30:00Z', first, 9)).toBeNull();
  expect(of('2026-11-23T05:31:00Z', '2026-11-22T05:30:00Z', first, 9)).toBe(Date.parse('2026-11-23T05:30:00Z'));
});

/** The same without the general search: 02:30 UTC, on Sundays or every day. */
const simple: NextAfter = (expression, _zone, fromMs) => {
  const day = 86_400_000;
  let next = fromMs - (fromMs % day) + 150 * minute;
  // January 4, 1970, was a Sunday.
  while (next <= fromMs || (expression === weekly.full && Math.floor(next / day) % 7 !== 3)) next += day;
  return next;
};

it('whatever fails and stands still, nothing runs beside another, and every day that is up has its backup', () => {
  const day = 86_400_000;
  const beginMs = Date.parse('2026-11-18T12:00:00Z');
  const hours = fc.array(
    fc.record({ isUp: fc.boolean(), works: fc.boolean(), lasts: fc.integer({ min: 1, max: 90 }) }),
    {
      minLength: 48,
      maxLength: 24 * 9,
    },
  );
  fc.assert(
    fc.property(hours, (unsteady) => {
      const script = [...unsteady, ...Array.from({ length: 4 }, () => ({ isUp: true, works: true, lasts: 20 }))];
      const backups: RepositoryBackup[] = [];
      const failed: Partial<Record<ScheduledKind, { times: number; lastAtMs: number }>> = {};
      let busyUntilMs = 0;
      const begun: { kind: ScheduledKind; atMs: number }[] = [];
      script.forEach(({ isUp, works, lasts }, hour) => {
        for (let tick = 0; isUp && tick < 12; tick += 1) {
          const nowMs = beginMs + hour * 60 * minute + tick * 5 * minute;
          const underWay = nowMs < busyUntilMs ? 'full' : null;
          const found = due(weekly, {
            isArchiving: true,
            contents: { state: 'ok', backups },
            attempts: { underWay, failed },
            nowMs,
            nextAfter: simple,
          });
          if (found.do !== 'backup') continue;
          const { kind } = found;
          expect(underWay).toBeNull();
          if (kind === 'differential') expect(backups.some((each) => each.kind === 'full')).toBe(true);
          const before = failed[kind];
          if (before !== undefined)
            expect(nowMs - before.lastAtMs).toBeGreaterThanOrEqual(retryDistanceMs(before.times));
          begun.push({ kind, atMs: nowMs });
          busyUntilMs = nowMs + lasts * minute;
          if (works) {
            backups.push(backupOf(String(backups.length), kind, nowMs));
            delete failed[kind];
          } else {
            failed[kind] = { times: (before?.times ?? 0) + 1, lastAtMs: busyUntilMs };
          }
        }
      });
      // None too many: each that succeeded, but the first, answers a time of its own at which a schedule came round.
      const endMs = beginMs + script.length * 60 * minute;
      expect(backups.length).toBeLessThanOrEqual(Math.ceil((endMs - beginMs) / day) + 1);
      // None too few: everything was up and worked for the last hours, so nothing is owed at their end.
      const rest = due(weekly, {
        isArchiving: true,
        contents: { state: 'ok', backups },
        attempts: nothing,
        nowMs: endMs - 1,
        nextAfter: simple,
      });
      expect(rest).toMatchObject({ do: 'wait', because: 'not-due' });
    }),
    { numRuns: 100 },
  );
});
