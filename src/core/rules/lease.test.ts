/** What a holder does about the lease when writes of its own may still be under way, or the store is out of sight. */
import { describe, expect, it } from 'vitest';
import { ttlMs } from '../../../test/fixtures/spec.ts';
import { acts } from '../../../test/fixtures/verdict.ts';
import {
  clusterView,
  held,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  standby,
  stopped,
  stored,
} from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import { leaseDeadlineMs } from '../lease.ts';
import type { DatabaseMemory } from '../memory.ts';
import type { TimelineRecord } from '../timelines.ts';

/** It went down just now, `agoMs` after its last renewal. */
const crashedAfter = (agoMs: number): DatabaseMemory => ({
  ...memoryRenewed(agoMs),
  crashes: { running: null, at: [nowMs - 10] },
});
const did = (decision: ReturnType<typeof decide>) => acts(decision).map((action) => action.do);

describe('what a holder writes of its own lease', () => {
  const crashed = { postgres: stopped({ shutdown: 'crashed' }), diskFreeBytes: 0 };
  const handsOver = clusterView({
    ...crashed,
    store: {
      members: members(memberStatus('db2'), memberStatus('db3')),
      durability: stored({ term: 5, standbys: ['db2', 'db3'], k: 1 }),
    },
  });
  const cutOff = clusterView({ store: { members: members(memberStatus('db3', { cutTerm: 6 })) } });

  it.each([
    ['release-lease', handsOver],
    ['take-next-term', cutOff],
  ])('%s names the renewal that it saw, and waits for one that is due', (what, view) => {
    const [action] = acts(decide(view, crashedAfter(10)));
    expect(action).toMatchObject({ do: what, renewal: { revision: 41 } });
    const due = decide(view, crashedAfter(1_100));
    expect(did(due)).toEqual(['renew-lease']);
    expect(due.lookAgainInMs).toBe(0);
  });
});

describe('a primary whose next term was taken and never answered', () => {
  const next = { lease: held('db1', 6), renewal: stored({ term: 6, counter: 0 }, 51) };
  const deadline = leaseDeadlineMs(0, ttlMs);

  it.each([
    [600, 'renew-lease'],
    [deadline - 1, 'renew-lease'],
    [deadline, 'stop'],
  ])('%d ms after its last renewal: %s', (agoMs, expected) => {
    expect(did(decide(clusterView({ store: next }), memoryRenewed(agoMs)))[0]).toBe(expected);
  });

  it('starts nothing by the right of the term before', () => {
    const down = clusterView({ postgres: stopped(), store: next });
    expect(did(decide(down, memoryRenewed(600)))).toEqual(['renew-lease']);
  });

  it('is not kept by a right of an earlier term than that', () => {
    const later = { ...next, lease: held('db1', 7) };
    expect(did(decide(clusterView({ store: later }), memoryRenewed(10)))[0]).toBe('stop');
  });
});

describe('a standby that was given the lease back', () => {
  const first: TimelineRecord = { term: 5, timeline: 1, parent: null, forkLsn: '0/0' };
  const begun: TimelineRecord = { term: 6, timeline: 2, parent: 1, forkLsn: '0/3000128' };
  const known = new Map([first, begun].map((record) => [record.term, stored(record)]));
  const store = { lease: held('db1', 7), renewal: stored({ term: 7, counter: 0 }, 51), timelines: known };

  it('reserves a timeline that nobody can have begun before it is promoted', () => {
    const before = clusterView({ postgres: standby(), store });
    const [reserve, ...more] = acts(decide(before, memoryRenewed(10, 7)));
    expect(reserve).toMatchObject({ do: 'record-timeline', timeline: { term: 7, timeline: 3, parent: 1 } });
    expect(more).toEqual([]);
    if (reserve?.do !== 'record-timeline') return;
    const timelines = new Map(known).set(7, stored(reserve.timeline));
    const after = clusterView({ postgres: standby(), store: { ...store, timelines } });
    expect(acts(decide(after, memoryRenewed(10, 7)))).toMatchObject([{ do: 'promote', timeline: 3 }]);
  });
});
