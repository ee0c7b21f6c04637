import { describe, expect, it } from 'vitest';
import { specOf, storedSpec } from '../../test/fixtures/spec.ts';
import {
  clusterView,
  lsn,
  memberPrimary,
  memberStandby,
  memberStatus,
  members,
  nowMs,
  operation,
  peer,
  poolerReport,
  primary,
  released,
  shutdownLsn,
  stopped,
  stored,
  storeView,
  type ViewChange,
} from '../../test/fixtures/view.ts';
import type { MemberStatus, StoreView } from './cluster-view.ts';
import type { LocalPostgres } from './local-postgres.ts';
import type { Operation } from './operation.ts';
import { summarise } from './status-summary.ts';

const report = poolerReport();
const moving = operation({ phase: 'stopped', shutdownLsn, timeline: 1 });
const writing = memberStatus('db1', { postgres: memberPrimary() });
const standby = (replayedLsn: string, streamingFrom: string | null = 'db1') =>
  memberStandby({ receivedLsn: replayedLsn, replayedLsn, streamingFrom, lagS: 0.4 });

/** Two database nodes, a witness and an app node; the store answered 200 ms ago. */
function storeOf(all: readonly MemberStatus[], change: Partial<StoreView> = {}): StoreView {
  const spec = storedSpec(specOf(['db1', 'db2', 'mon1', 'web1']));
  return storeView({ confirmedAtMs: nowMs - 200, spec, members: members(...all), ...change });
}

const asPrimary = primary({
  slots: [{ name: 'understudy_db2', active: true, restartLsn: lsn('0/3000000'), walStatus: 'reserved' }],
  peers: [peer('db2', { replayLsn: lsn('0/30000F0') })],
});
const voting = memberStatus('mon1', { postgres: { state: 'unknown' } });
const healthy = storeOf([writing, memberStatus('db2', { postgres: standby('0/3000000') }), voting]);

const viewOf = (store: StoreView, change: ViewChange = {}) =>
  clusterView({ postgres: asPrimary, reports: new Map([['web1', { report, atMs: nowMs - 900 }]]), ...change, store });

const heard = new Map([
  ['db1', 100],
  ['db2', 1_900],
  ['mon1', 1_900],
]);

describe('summarise', () => {
  it('finds nothing to say of a cluster where all is well', () => {
    const status = summarise(viewOf(healthy), heard);
    expect(status).toMatchObject({ verdict: 'HEALTHY', because: [], primary: 'db1', term: 5, timeline: 1 });
    expect(status).toMatchObject({ cluster: 'psf', from: 'db1', specRevision: 3, storeAgeMs: 200, operation: null });
    expect(status.nodes.map(({ node: name, reachable }) => [name, reachable])).toEqual([
      ['db1', 'yes'],
      ['db2', 'yes'],
      ['mon1', 'yes'],
      ['web1', 'yes'],
    ]);
  });

  it('takes the delay of a delayed standby for no trouble, and what is more for one', () => {
    const { nodes, ...rest } = specOf(['db1', 'db2', 'mon1', 'web1']);
    const delayed = nodes.map((node) => (node.name === 'db2' ? { ...node, applyDelayMs: 3_600_000 } : node));
    const because = (streamingFrom: string | null, lagS: number | null) => {
      const postgres = memberStandby({ receivedLsn: '0/3000000', replayedLsn: '0/2000000', streamingFrom, lagS });
      const spec = storedSpec({ ...rest, nodes: delayed });
      return summarise(viewOf(storeOf([writing, memberStatus('db2', { postgres }), voting], { spec })), heard).because;
    };
    expect(because('db1', 3_600)).toEqual([]);
    // After a restart it streams again when it has replayed what is on its disk.
    expect(because(null, 3_600)).toEqual([]);
    expect(because(null, null)).toEqual([]);
    expect(because(null, 3_700)).toEqual(['db2 is not streaming']);
  });

  it('names nodes whose certificate was revoked, whatever else they do', () => {
    const status = summarise(viewOf({ ...healthy, shutOut: new Set(['db2', 'web1', 'db9']) }), heard);
    expect(status.verdict).toBe('DEGRADED');
    expect(status.because).toEqual([
      'the certificate of db2 was revoked: it must not be primary, until it enrols anew',
      'the certificate of web1 was revoked: it has to enrol anew',
    ]);
  });

  it('takes lag and slot from the primary itself, and from the statuses elsewhere', () => {
    const here = summarise(viewOf(healthy), heard).nodes.find(({ node: name }) => name === 'db2');
    expect(here).toMatchObject({ lagBytes: 0x10, lagS: 0.4, slot: { active: true, heldBytes: 0x100 } });
    const elsewhere = summarise(viewOf(healthy, { self: 'db2', postgres: { state: 'absent' } }), heard);
    expect(elsewhere.nodes.find(({ node: name }) => name === 'db2')).toMatchObject({ lagBytes: 0x100, slot: null });
  });

  it('does not invent a lag without a position to compare', () => {
    const blind = storeOf([memberStatus('db2', { postgres: standby('0/3000000') })]);
    const status = summarise(viewOf(blind, { self: 'db2', postgres: { state: 'absent' } }), heard);
    expect(status.nodes.find(({ node: name }) => name === 'db2')?.lagBytes).toBeNull();
  });

  it('starts before there is a spec or a cluster', () => {
    expect(summarise(viewOf(storeOf([], { spec: null, cluster: null })), new Map())).toMatchObject({
      verdict: 'STARTING',
      nodes: [],
    });
    expect(summarise(viewOf(storeOf([], { cluster: null, lease: null })), new Map()).verdict).toBe('STARTING');
  });

  it('counts a member as gone only after 6 s, and as unknown when it was never heard', () => {
    const at = (ms: number | null) => {
      const seen = new Map([['mon1', 100] as const, ...(ms === null ? [] : [['db2', ms] as const])]);
      const status = summarise(viewOf(healthy), seen);
      return [status.nodes.find(({ node: name }) => name === 'db2')?.reachable, status.verdict];
    };
    expect(at(6_000)).toEqual(['yes', 'HEALTHY']);
    expect(at(6_001)).toEqual(['no', 'DEGRADED']);
    expect(at(null)).toEqual(['unknown', 'DEGRADED']);
  });

  it('is degraded while the witness is silent or was never heard, and shows no PostgreSQL of it', () => {
    const at = (ms: number | null) => {
      const seen = new Map([['db2', 100] as const, ...(ms === null ? [] : [['mon1', ms] as const])]);
      return summarise(viewOf(healthy), seen);
    };
    expect(at(6_000)).toMatchObject({ verdict: 'HEALTHY', because: [] });
    expect(at(6_001)).toMatchObject({ verdict: 'DEGRADED', because: ['the witness mon1 is silent'] });
    expect(at(null)).toMatchObject({ verdict: 'DEGRADED', because: ['the agent of mon1 is not known yet'] });
    expect(at(6_001).nodes[2]).toMatchObject({ node: 'mon1', reachable: 'no', postgres: null, lastSeenAs: null });
  });

  it('does not call members silent while the store itself is', () => {
    const deaf = { ...healthy, confirmedAtMs: nowMs - 9_000 };
    const status = summarise(viewOf(deaf), new Map([['db2', 9_100]]));
    expect(status.nodes.map(({ reachable }) => reachable)).toEqual(['yes', 'unknown', 'unknown', 'yes']);
    expect(status.because[0]).toBe('db1 has not reached the store for 9 s');
    expect(status.verdict).toBe('DEGRADED');
    expect(summarise(viewOf({ ...healthy, confirmedAtMs: null }), heard)).toMatchObject({
      storeAgeMs: null,
      because: ['db1 has not reached the store yet'],
    });
  });

  it('is down when nobody may write, except for a moment of a switchover', () => {
    const both = [
      memberStatus('db1', { postgres: { state: 'stopped' } }),
      memberStatus('db2', { postgres: standby('0/3000100') }),
    ];
    const lease = released('db1', 'db2');
    expect(summarise(viewOf(storeOf(both, { lease })), heard)).toMatchObject({ verdict: 'DOWN', primary: null });
    const inMotion = storeOf(both, { operation: stored(moving) });
    expect(summarise(viewOf(inMotion), heard)).toMatchObject({
      verdict: 'DEGRADED',
      because: [expect.stringContaining('R-0007 from db1 to db2 is under way: stopped'), expect.anything()],
    });
    const ended: Operation = { ...moving, phase: 'finished', receipt: 'R-0007' };
    expect(summarise(viewOf({ ...healthy, operation: stored(ended) }), heard).verdict).toBe('HEALTHY');
  });

  it('is down when the agent of the primary is silent', () => {
    const seen = new Map([...heard, ['db1', 7_000]]);
    const status = summarise(viewOf(healthy, { self: 'db2', postgres: { state: 'absent' } }), seen);
    expect(status).toMatchObject({ verdict: 'DOWN', because: ['the agent of the primary db1 is silent'] });
    // What it was is still told, and as that.
    expect(status.nodes.slice(0, 2)).toMatchObject([
      { node: 'db1', postgres: { state: 'primary' }, lastSeenAs: 'primary' },
      { node: 'db2', reachable: 'yes', lastSeenAs: null },
    ]);
  });

  it.each([
    ['db2 is cloning', { state: 'cloning', bytesDone: 1, bytesTotal: 2 } as const],
    ['db2 is not streaming', standby('0/3000000', null)],
    ['db2 is not streaming from db1', standby('0/3000000', 'db3')],
  ])('is degraded while %s', (because, postgres) => {
    const store = storeOf([writing, memberStatus('db2', { postgres })]);
    expect(summarise(viewOf(store), heard)).toMatchObject({ verdict: 'DEGRADED', because: [because] });
  });

  it('says that replicated commits wait, by the word of the primary about who streams', () => {
    const said = (flushed: Record<string, string>) => memberStatus('db1', { postgres: memberPrimary({ flushed }) });
    const seen = (flushed: Record<string, string>, standbys: readonly string[]) => {
      const durability = stored({ term: 5, standbys, k: 1 });
      const store = storeOf([said(flushed), memberStatus('db2', { postgres: standby('0/3000000') })], { durability });
      return summarise(viewOf(store, { self: 'db2', postgres: stopped() }), heard).because;
    };
    expect(seen({ db2: '0/3000000' }, ['db2'])).toEqual([]);
    expect(seen({}, ['db2'])).toContain('replicated commits wait: 0 of db2 stream, 1 must');
    // Just elected, and still of the set.
    expect(seen({}, ['db1'])).toContain('replicated commits wait: nobody streams, 1 must');
  });

  it('shows troubles, lost slots and values that cannot be read; a pending restart is no trouble', () => {
    const pendingRestart = [{ name: 'max_connections', current: '100', wanted: '200' }];
    const store = storeOf(
      [
        { ...writing, pendingRestart },
        memberStatus('db2', { postgres: standby('0/3000000'), trouble: 'its disk is full' }),
      ],
      { unreadable: ['members/db9'] },
    );
    const postgres: LocalPostgres = {
      ...asPrimary,
      slots: [{ name: 'understudy_db2', active: false, restartLsn: null, walStatus: 'lost' }],
    };
    const status = summarise(viewOf(store, { postgres }), heard);
    expect(status.because).toEqual([
      'the slot of db2 is lost',
      'db2: its disk is full',
      "values in the store can't be read: members/db9",
    ]);
    expect(status.nodes[0]?.pendingRestart).toEqual(pendingRestart);
  });
});

describe('poolers in the summary', () => {
  const old = { report: { ...report, clients: 1 }, atMs: nowMs - 8_000 };
  const inStore = { poolers: new Map([['web1', stored({ ...report, clients: 77 })]]) };
  const store = storeOf(
    [...healthy.members.values()].map(({ value }) => value),
    inStore,
  );

  it('are silent only in the eyes of the holder, whom they report to', () => {
    const reports = new Map([['web1', old]]);
    expect(summarise(viewOf(store, { reports }), heard)).toMatchObject({
      verdict: 'DEGRADED',
      because: ['the agent of pooler web1 is silent'],
      poolers: [{ reachable: 'no', report: { clients: 1 } }],
    });
    expect(summarise(viewOf(store, { reports, self: 'db2' }), heard)).toMatchObject({
      verdict: 'HEALTHY',
      poolers: [{ reachable: 'unknown', report: { clients: 77 } }],
    });
  });

  it('are known from the store where none reported directly, and missed where none reported at all', () => {
    const reports = new Map();
    const elsewhere = summarise(viewOf(store, { reports, self: 'db2' }), heard);
    expect(elsewhere).toMatchObject({
      verdict: 'HEALTHY',
      poolers: [{ reachable: 'unknown', report: { clients: 77 } }],
    });
    const holders = summarise(viewOf(store, { reports }), heard);
    expect(holders.because).toEqual(["the pooler on web1 has not reported to the primary's agent yet"]);
    expect(summarise(viewOf(healthy, { reports }), heard).because).toEqual(['the pooler on web1 has not reported yet']);
  });

  it.each([
    [{ state: 'paused' as const }, 'the pooler on web1 is paused'],
    [{ trouble: 'no login' }, 'pooler web1: no login'],
  ])('degrade it when they are not open or in trouble', (change, because) => {
    const reports = new Map([['web1', { report: { ...report, ...change }, atMs: nowMs }]]);
    expect(summarise(viewOf(healthy, { reports }), heard)).toMatchObject({ verdict: 'DEGRADED', because: [because] });
  });
});
