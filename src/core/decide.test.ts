/** What a node does about its role in each situation. Chores and status are left out; transcripts have them. */
import { describe, expect, it } from 'vitest';
import { specOf, storedSpec, ttlMs } from '../../test/fixtures/spec.ts';
import { acts, verdict } from '../../test/fixtures/verdict.ts';
import {
  clusterView,
  endedJob,
  held,
  memberPrimary,
  memberStatus,
  members,
  memoryOfAMinute,
  memoryRenewed,
  noRequests,
  nowMs,
  primary,
  released,
  standby,
  stopped,
  stored,
  type ViewChange,
} from '../../test/fixtures/view.ts';
import type { ClusterView, StoreView } from './cluster-view.ts';
import { decide } from './decide.ts';
import { leaseDeadlineMs } from './lease.ts';
import type { LocalPostgres } from './local-postgres.ts';
import { type DatabaseMemory, emptyMemory } from './memory.ts';

const memory = memoryOfAMinute();
const absent: LocalPostgres = { state: 'absent' };

/** What `self` sees: the store as `clusterView` has it, with these changes. */
const seen = (self: string, postgres: LocalPostgres, store: Partial<StoreView> = {}, more: ViewChange = {}) =>
  clusterView({ ...more, self, postgres, store });
const decided = (view: ClusterView, before: DatabaseMemory): string => verdict(decide(view, before));

const writable = (inTerm = 5) => members(memberStatus('db1', { term: inTerm, postgres: memberPrimary() }));

describe('a new cluster', () => {
  const empty = { cluster: null, lease: null, renewal: null };
  const mine = { cluster: null, lease: held('db1', 1), renewal: stored({ term: 1, counter: 1 }) };
  const fresh = memoryRenewed(10, 1);
  const theirs = { lease: held('db1', 1) };
  const begun = { ...theirs, members: writable(1) };

  it.each<[string, ClusterView, DatabaseMemory, string]>([
    ['the first node, empty', seen('db1', absent, empty), memory, 'take-first-lease'],
    ['the first node, unfinished', seen('db1', { state: 'unfinished' }, empty), memory, 'take-first-lease'],
    ['the second node', seen('db2', absent, empty), memory, 'wait not-first-node'],
    ['the first node, with data', seen('db1', stopped(), empty), memory, 'refuse data-directory-in-use'],
    ['the first node, running', seen('db1', primary(), empty), memory, 'refuse data-directory-in-use'],
    ['a foreign directory', seen('db1', { state: 'foreign', because: 'x' }, empty), memory, 'refuse foreign'],
    ['a cluster that lost its lease', seen('db1', absent, { lease: null }), memory, 'refuse lease-missing'],
    ['no spec', seen('db1', absent, { ...empty, spec: null }), memory, 'wait no-spec'],
    ['a store never read', seen('db1', absent, { ...empty, readAtMs: null }), memory, 'wait lease-unread'],
    ['an unreadable lease', seen('db1', absent, { ...empty, unreadable: ['lease'] }), memory, 'wait lease-unread'],
    ['an unreadable cluster', seen('db1', absent, { ...empty, unreadable: ['cluster'] }), memory, 'refuse unreadable'],
    ['first lease held', seen('db1', absent, mine), fresh, 'initialise'],
    ['initialised', seen('db1', stopped(), mine), fresh, 'start primary'],
    ['the first primary', seen('db1', primary(), mine), fresh, 'record-cluster'],
    ['others, unnamed cluster', seen('db2', absent, { ...begun, cluster: null }), memory, 'wait holder-not-writable'],
    ['others, holder not writable', seen('db2', absent, theirs), memory, 'wait holder-not-writable'],
    ['others, holder writable', seen('db2', absent, begun), memory, 'clone db1'],
    ['others, cloned', seen('db2', stopped({ lastRole: 'standby' }), begun), memory, 'start standby of db1'],
    ['others, streaming', seen('db2', standby(), begun), memory, 'wait lease-held-by-other'],
    ['holder without data', seen('db1', absent), memoryRenewed(0), 'refuse no-data'],
  ])('%s', (_, view, before, expected) => {
    expect(decided(view, before)).toBe(expected);
  });
});

describe('the lease', () => {
  const deadline = leaseDeadlineMs(0, ttlMs);

  it.each([
    [0, 'wait holds-lease'],
    [ttlMs / 6 - 1, 'wait holds-lease'],
    [ttlMs / 6, 'renew-lease'],
    [deadline - 1, 'renew-lease'],
    [deadline, 'stop'],
    [deadline + 60_000, 'stop'],
  ])('a holder %d ms after its renewal: %s', (ageMs, expected) => {
    expect(decided(clusterView(), memoryRenewed(ageMs))).toBe(expected);
  });

  it('looks again in time for the next renewal', () => {
    expect(decide(clusterView(), memoryRenewed(900)).lookAgainInMs).toBe(100);
  });

  it('counts the deadline from the acknowledged renewal, not from the last attempt', () => {
    const tried = { ...memoryRenewed(deadline), lastRenewalTryMs: nowMs - 10 };
    expect(decided(clusterView(), tried)).toBe('stop');
  });

  it('lets a restarted agent have one TTL to renew, and no more', () => {
    expect(decided(clusterView(), emptyMemory(nowMs))).toBe('renew-lease');
    expect(decided(clusterView(), emptyMemory(nowMs - deadline + 1))).toBe('renew-lease');
    expect(decided(clusterView(), emptyMemory(nowMs - deadline))).toBe('stop');
  });

  it.each<[string, Partial<StoreView>]>([
    ['lease-held-by-other', { lease: held('db2', 6) }],
    ['lease-missing', { lease: null }],
    ['lease-released', { lease: released('db2', 'db2') }],
    ['lease-released', { lease: released('db2', 'db1') }],
    ['lease-never-read', { readAtMs: null }],
  ])('a primary demotes: %s', (code, store) => {
    const decision = decide(clusterView({ store }), memoryRenewed(10));
    expect(decision.actions[0]).toMatchObject({ do: 'stop', drain: null, awaitStandby: null, because: [code] });
    expect(decision.actions.map((action) => action.do)).not.toContain('renew-lease');
  });

  it('demotes although another job is under way', () => {
    const job = { kind: 'databases', startedAtMs: nowMs - 5_000, progress: null } as const;
    expect(decided(clusterView({ job, store: { lease: held('db2', 6) } }), memory)).toBe('stop');
  });

  it('a standby is not stopped for a lease that is not its own', () => {
    expect(decided(seen('db2', standby()), memory)).toBe('wait lease-held-by-other');
  });
});

describe('a holder whose server is down', () => {
  const wasStandby = stopped({ lastRole: 'standby' });
  const young = memoryRenewed(900);

  it.each<[string, LocalPostgres, DatabaseMemory, string]>([
    ['stopped, fresh renewal', stopped(), young, 'start primary'],
    ['was standby, fresh renewal', wasStandby, young, 'start standby of nobody'],
    ['standby, fresh renewal', standby(), young, 'promote'],
    ['stopped, none', stopped(), emptyMemory(nowMs), 'renew-lease'],
    ['standby, none', standby(), emptyMemory(nowMs), 'renew-lease'],
    ['stopped, of an older term', stopped(), memoryRenewed(900, 4), 'renew-lease'],
    ['standby, of an older term', standby(), memoryRenewed(900, 4), 'renew-lease'],
    ['stopped, too little left', stopped(), memoryRenewed(4_440), 'renew-lease'],
    ['stopped, just enough left', stopped(), memoryRenewed(4_439), 'renew-lease, start primary'],
    ['standby, expired', standby(), memoryRenewed(60_000), 'renew-lease'],
    ['another system', stopped({ systemIdentifier: '8' }), young, 'refuse other-cluster'],
    ['a foreign directory', { state: 'foreign', because: 'x' }, young, 'refuse foreign'],
    ['not determined', { state: 'unknown', because: 'x', pid: 5 }, young, 'wait postgres-unknown'],
    ['starting', { state: 'starting', pid: 5 }, young, 'wait postgres-starting'],
  ])('%s', (_, postgres, before, expected) => {
    expect(decided(clusterView({ postgres }), before)).toBe(expected);
  });

  it('waits for an answer where a renewal without acknowledgement was just sent', () => {
    const tried = { ...memory, lastRenewalTryMs: nowMs - 100 };
    expect(decided(clusterView({ postgres: stopped() }), tried)).toBe('wait renewal-awaited');
  });

  it('leaves a job alone, and renews meanwhile', () => {
    const job = { kind: 'start', startedAtMs: nowMs - 50, progress: null } as const;
    const view = clusterView({ postgres: stopped(), job });
    expect(decided(view, young)).toBe('wait job-start');
    expect(decided(view, memoryRenewed(1_000))).toBe('renew-lease');
  });

  it('does not try a failed start again at once', () => {
    const down = { postgres: stopped(), lastJobs: new Map([endedJob('start', 'failed')]) };
    expect(decided(clusterView(down), young)).toBe('wait start-failed');
    const later = nowMs + 1_900;
    expect(decided(clusterView({ ...down, nowMs: later }), memoryRenewed(900, 5, later))).toBe('start primary');
  });

  it('ends a server that answers nobody, after a while, and leaves one alone that it can not see', () => {
    const hung = (pid: number | null): LocalPostgres => ({ state: 'unknown', because: 'no answer', pid });
    const since = (agoMs: number) => ({ ...young, unansweringSinceMs: nowMs - agoMs });
    expect(decided(clusterView({ postgres: hung(5) }), since(4_999))).toBe('wait postgres-unknown');
    expect(decided(clusterView({ postgres: hung(5) }), since(5_000))).toBe('stop');
    expect(decided(clusterView({ postgres: hung(null) }), since(60_000))).toBe('wait postgres-unknown');
  });
});

describe('a node without the lease', () => {
  it('starts as a standby only towards a writable holder, or after 15 s as a mere follower', () => {
    const first = decide(seen('db2', stopped()), memory);
    expect(first.reasons.map((reason) => reason.code)).toEqual(['holder-not-writable']);
    const alive = { renewal: stored({ term: 5, counter: 90 }, 90) };
    const at = (ms: number) => seen('db2', stopped(), alive, { nowMs: nowMs + ms });
    expect(decided(at(14_999), first.memory)).toBe('wait holder-not-writable');
    expect(decided(at(15_000), first.memory)).toBe('start standby of db1');
  });

  it('does not take the word of an earlier term or of a silent agent', () => {
    expect(decided(seen('db2', absent, { members: writable(4) }), memory)).toBe('wait holder-not-writable');
    const silent = { ...memory, memberSeen: new Map([['db1', { counter: 5, atMs: nowMs - 6_001, moved: true }]]) };
    expect(decided(seen('db2', absent, { members: writable() }), silent)).toBe('wait holder-not-writable');
  });

  it('never touches a directory of another system', () => {
    const other = stopped({ systemIdentifier: '8' });
    for (const requests of [noRequests, { ...noRequests, reinit: true }, { ...noRequests, restart: true }]) {
      const view = seen('db2', other, { members: writable() }, { requests });
      expect(decided(view, memory)).toBe('refuse other-cluster');
    }
  });

  it('follows a holder that moved once it is writable', () => {
    const away = standby({ upstream: 'db3', receiver: 'none' });
    expect(decided(seen('db2', away), memory)).toBe('wait not-streaming');
    expect(decided(seen('db2', away, { members: writable() }), memory)).toBe('follow db1');
  });

  it('is restarted when replay waits for that, and for nothing else', () => {
    const pendingRestart = [{ name: 'max_connections', current: '200', wanted: '400' }];
    const minimums = { standbyMinimums: { max_connections: 200 } };
    const at = (change: Parameters<typeof standby>[0]) =>
      decided(seen('db2', standby({ ...minimums, ...change })), memory);
    expect(at({ replayPaused: true, pendingRestart })).toBe('restart-standby');
    expect(at({ replayPaused: false, pendingRestart })).not.toBe('restart-standby');
    expect(at({ replayPaused: true })).not.toBe('restart-standby');
    const lower = [{ name: 'max_connections', current: '200', wanted: '100' }];
    expect(at({ replayPaused: true, pendingRestart: lower })).not.toBe('restart-standby');
    const other = [{ name: 'shared_buffers', current: '16384', wanted: '32768' }];
    expect(at({ replayPaused: true, pendingRestart: other })).not.toBe('restart-standby');
  });

  it('is cloned again when it can not stream any more, and keeps what diverged', () => {
    const cloned = (cannotStream: 'wal-removed' | 'diverged') =>
      acts(decide(seen('db2', standby({ receiver: 'none', cannotStream }), { members: writable() }), memory));
    expect(cloned('wal-removed')).toMatchObject([{ do: 'clone', from: 'db1', diverged: false }]);
    expect(cloned('diverged')).toMatchObject([{ do: 'clone', from: 'db1', diverged: true }]);
  });

  it('does nothing but speak up where it is a witness, and is not forgotten', () => {
    const spec = storedSpec(specOf(['db1', 'mon1']));
    const unknown: LocalPostgres = { state: 'unknown', because: 'none', pid: null };
    const { actions, reasons } = decide(seen('mon1', unknown, { spec }), memory);
    expect(reasons).toMatchObject([{ code: 'witness' }]);
    expect(actions).toMatchObject([{ do: 'publish-status', status: { node: 'mon1', unconverged: [], trouble: null } }]);
    const known = members(memberStatus('mon1'), memberStatus('db9'));
    const forgotten = decide(seen('db1', primary(), { spec, members: known }), memoryRenewed(10)).actions.filter(
      (action) => action.do === 'forget-node',
    );
    expect(forgotten).toMatchObject([{ node: 'db9', role: 'member' }]);
  });

  it('stops its standby when the spec no longer names it, and keeps a primary', () => {
    const spec = storedSpec(specOf(['db3']));
    expect(decided(seen('db2', standby(), { spec }), memory)).toBe('stop');
    expect(decided(seen('db1', primary(), { spec }), memoryRenewed(10))).toBe('refuse holds-lease');
  });
});
