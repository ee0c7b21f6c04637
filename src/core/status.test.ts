import { describe, expect, it } from 'vitest';
import type { ClusterView, LocalPostgres, MemberStatus, PoolerReport, StoreView } from './cluster-view.ts';
import { type Lsn, lsnFromOffset } from './lsn.ts';
import type { Operation } from './operation.ts';
import type { NodeName, NodeRole, Spec } from './spec.ts';
import { summarise } from './status.ts';

const nowMs = 100_000;
const lsn = (offset: number): Lsn => lsnFromOffset(BigInt(offset));

function node(name: NodeName, role: NodeRole) {
  const plain = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;
  return { ...plain, name, role, address: `10.0.0.${name.length}` };
}

const spec: Spec = {
  version: 1,
  cluster: 'psf',
  domain: 'psf.io',
  contact: null,
  datacenters: {},
  nodes: [node('pg0', 'database'), node('pg1', 'database'), node('mon0', 'witness'), node('web0', 'app')],
  postgres: {
    major: 17,
    port: 5432,
    dataDirectory: null,
    binaryDirectory: null,
    parameters: {},
    walBudgetMb: 1024,
  },
  store: { kind: 'etcd', endpoints: ['https://10.0.0.3:2379'], caFile: null },
  poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 30 },
  databases: [],
  applications: [],
  switchover: {
    drainTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
    promoteTimeoutMs: 5_000,
    longTransactionMs: 5_000,
    maxLagBytes: 1_048_576,
  },
  lease: { ttlMs: 6_000 },
};

function member(name: NodeName, postgres: MemberStatus['postgres'], change: Partial<MemberStatus> = {}): MemberStatus {
  return {
    node: name,
    counter: 5,
    term: 8,
    cutTerm: 0,
    postgres,
    serverVersion: '17.2',
    specRevision: 3,
    unconverged: [],
    pendingRestart: [],
    standbyMinimums: {},
    diskFreeBytes: null,
    agentVersion: '0.1.0',
    trouble: null,
    ...change,
  };
}

const standby = (replayedLsn: string, streamingFrom: NodeName | null = 'pg0'): MemberStatus['postgres'] => ({
  state: 'standby',
  timeline: 4,
  receivedLsn: replayedLsn,
  replayedLsn,
  streamingFrom,
  lagS: 0.4,
});

const report: PoolerReport = {
  node: 'web0',
  counter: 9,
  state: 'open',
  operation: null,
  term: 8,
  primary: 'pg0',
  clients: 12,
  waiting: 0,
  specRevision: 3,
  blockers: [],
  poolerVersion: '1.24.0',
  lastPause: null,
  trouble: null,
};

const operation: Operation = {
  id: 'R-0007',
  kind: 'switchover',
  from: 'pg0',
  to: 'pg1',
  term: 8,
  poolers: ['web0'],
  without: [],
  forceAfterMs: null,
  paceMs: 0,
  drainTimeoutMs: 5_000,
  stopTimeoutMs: 5_000,
  promoteTimeoutMs: 5_000,
  startedAt: '2026-11-19T14:00:00Z',
  requestedBy: 'ernest',
  phase: 'stopped',
  shutdownLsn: '0/3000028',
  timeline: 4,
  timings: [],
};

const stored = <T>(value: T) => ({ value, revision: 1 });

function storeOf(members: readonly MemberStatus[], change: Partial<StoreView> = {}): StoreView {
  return {
    readAtMs: nowMs,
    confirmedAtMs: nowMs - 200,
    spec: stored({ revision: 3, spec, appliedAt: '2026-11-19T14:00:00Z', appliedBy: 'ernest' }),
    cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
    lease: stored({ state: 'held', term: 8, holder: 'pg0', ttlMs: 6_000 }),
    renewal: null,
    operation: null,
    members: new Map(members.map((one) => [one.node, stored(one)])),
    poolers: new Map(),
    durability: null,
    ballots: new Map(),
    timelines: new Map(),
    unreadable: [],
    ...change,
  };
}

const facts = {
  systemIdentifier: '7',
  timeline: 4,
  serverVersion: '17.2',
  major: 17,
  pendingRestart: [],
  standbyMinimums: {},
  pid: 100,
};

const asPrimary: LocalPostgres = {
  ...facts,
  state: 'primary',
  insertLsn: lsn(0x3000100),
  fork: null,
  syncSet: null,
  slots: [{ name: 'understudy_pg1', active: true, restartLsn: lsn(0x3000000), walStatus: 'reserved' }],
  peers: [
    {
      name: 'pg1',
      pid: 5,
      state: 'streaming',
      sentLsn: null,
      flushLsn: null,
      replayLsn: lsn(0x30000f0),
      replyAgeMs: 3,
    },
  ],
};

const healthy = storeOf([
  member('pg0', { state: 'primary', timeline: 4, lsn: '0/3000100' }),
  member('pg1', standby('0/3000000')),
]);

function viewOf(store: StoreView, change: Partial<ClusterView> = {}): ClusterView {
  return {
    self: 'pg0',
    nowMs,
    store,
    postgres: asPrimary,
    job: null,
    lastJobs: new Map(),
    reports: new Map([['web0', { report, atMs: nowMs - 900 }]]),
    requests: { driving: null, cancelOperation: null, reinit: false, restart: false },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0.1.0',
    ...change,
  };
}

const heard = new Map([
  ['pg0', 100],
  ['pg1', 1_900],
]);

describe('summarise', () => {
  it('finds nothing to say of a cluster where all is well', () => {
    const status = summarise(viewOf(healthy), heard);
    expect(status).toMatchObject({ verdict: 'HEALTHY', because: [], primary: 'pg0', term: 8, timeline: 4 });
    expect(status).toMatchObject({ cluster: 'psf', from: 'pg0', specRevision: 3, storeAgeMs: 200, operation: null });
    expect(status.nodes.map(({ node: name, reachable }) => [name, reachable])).toEqual([
      ['pg0', 'yes'],
      ['pg1', 'yes'],
      ['mon0', 'unknown'],
      ['web0', 'yes'],
    ]);
  });

  it('takes lag and slot from the primary itself, and from the statuses elsewhere', () => {
    const here = summarise(viewOf(healthy), heard).nodes.find(({ node: name }) => name === 'pg1');
    expect(here).toMatchObject({ lagBytes: 0x10, lagS: 0.4, slot: { active: true, heldBytes: 0x100 } });
    const elsewhere = summarise(viewOf(healthy, { self: 'pg1', postgres: { state: 'absent' } }), heard);
    expect(elsewhere.nodes.find(({ node: name }) => name === 'pg1')).toMatchObject({ lagBytes: 0x100, slot: null });
  });

  it('does not invent a lag without a position to compare', () => {
    const blind = storeOf([member('pg1', standby('0/3000000'))]);
    const status = summarise(viewOf(blind, { self: 'pg1', postgres: { state: 'absent' } }), heard);
    expect(status.nodes.find(({ node: name }) => name === 'pg1')?.lagBytes).toBeNull();
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
      const seen = new Map(ms === null ? [] : [['pg1', ms]]);
      const status = summarise(viewOf(healthy), seen);
      return [status.nodes.find(({ node: name }) => name === 'pg1')?.reachable, status.verdict];
    };
    expect(at(6_000)).toEqual(['yes', 'HEALTHY']);
    expect(at(6_001)).toEqual(['no', 'DEGRADED']);
    expect(at(null)).toEqual(['unknown', 'DEGRADED']);
  });

  it('does not call members silent while the store itself is', () => {
    const deaf = { ...healthy, confirmedAtMs: nowMs - 9_000 };
    const status = summarise(viewOf(deaf), new Map([['pg1', 9_100]]));
    expect(status.nodes.map(({ reachable }) => reachable)).toEqual(['yes', 'unknown', 'unknown', 'yes']);
    expect(status.because[0]).toBe('pg0 has not reached the store for 9 s');
    expect(status.verdict).toBe('DEGRADED');
    expect(summarise(viewOf({ ...healthy, confirmedAtMs: null }), heard)).toMatchObject({
      storeAgeMs: null,
      because: ['pg0 has not reached the store yet'],
    });
  });

  it('is down when nobody may write, except for a moment of a switchover', () => {
    const released = { lease: stored({ state: 'released', term: 8, by: 'pg0', to: 'pg1', ttlMs: 6_000 } as const) };
    const members = [member('pg0', { state: 'stopped' }), member('pg1', standby('0/3000100'))];
    expect(summarise(viewOf(storeOf(members, released)), heard)).toMatchObject({ verdict: 'DOWN', primary: null });
    const moving = storeOf(members, { operation: stored(operation) });
    expect(summarise(viewOf(moving), heard)).toMatchObject({
      verdict: 'DEGRADED',
      because: [expect.stringContaining('R-0007 from pg0 to pg1 is under way: stopped'), expect.anything()],
    });
    const ended: Operation = { ...operation, phase: 'finished', receipt: 'R-0007' };
    expect(summarise(viewOf({ ...healthy, operation: stored(ended) }), heard).verdict).toBe('HEALTHY');
  });

  it('is down when the agent of the primary is silent', () => {
    const seen = new Map([...heard, ['pg0', 7_000]]);
    const status = summarise(viewOf(healthy, { self: 'pg1', postgres: { state: 'absent' } }), seen);
    expect(status).toMatchObject({ verdict: 'DOWN', because: ['the agent of the primary pg0 is silent'] });
  });

  it.each([
    ['pg1 is cloning', { state: 'cloning', bytesDone: 1, bytesTotal: 2 } as const],
    ['pg1 is not streaming', standby('0/3000000', null)],
    ['pg1 is not streaming from pg0', standby('0/3000000', 'pg2')],
  ])('is degraded while %s', (because, postgres) => {
    const store = storeOf([
      member('pg0', { state: 'primary', timeline: 4, lsn: '0/3000100' }),
      member('pg1', postgres),
    ]);
    expect(summarise(viewOf(store), heard)).toMatchObject({ verdict: 'DEGRADED', because: [because] });
  });

  it('shows troubles, lost slots and values that cannot be read; a pending restart is no trouble', () => {
    const pendingRestart = [{ name: 'max_connections', current: '100', wanted: '200' }];
    const store = storeOf(
      [
        member('pg0', { state: 'primary', timeline: 4, lsn: '0/3000100' }, { pendingRestart }),
        member('pg1', standby('0/3000000'), { trouble: 'its disk is full' }),
      ],
      { unreadable: ['members/pg9'] },
    );
    const postgres: LocalPostgres = {
      ...asPrimary,
      slots: [{ name: 'understudy_pg1', active: false, restartLsn: null, walStatus: 'lost' }],
    };
    const status = summarise(viewOf(store, { postgres }), heard);
    expect(status.because).toEqual([
      'the slot of pg1 is lost',
      'pg1: its disk is full',
      "values in the store can't be read: members/pg9",
    ]);
    expect(status.nodes[0]?.pendingRestart).toEqual(pendingRestart);
  });
});

describe('poolers in the summary', () => {
  const old = { report: { ...report, clients: 1 }, atMs: nowMs - 8_000 };
  const inStore = { poolers: new Map([['web0', stored({ ...report, clients: 77 })]]) };
  const store = storeOf(
    [...healthy.members.values()].map(({ value }) => value),
    inStore,
  );

  it('are silent only in the eyes of the holder, whom they report to', () => {
    const reports = new Map([['web0', old]]);
    expect(summarise(viewOf(store, { reports }), heard)).toMatchObject({
      verdict: 'DEGRADED',
      because: ['the agent of pooler web0 is silent'],
      poolers: [{ reachable: 'no', report: { clients: 1 } }],
    });
    expect(summarise(viewOf(store, { reports, self: 'pg1' }), heard)).toMatchObject({
      verdict: 'HEALTHY',
      poolers: [{ reachable: 'unknown', report: { clients: 77 } }],
    });
  });

  it('are known from the store where none reported directly, and missed where none reported at all', () => {
    const reports = new Map();
    const elsewhere = summarise(viewOf(store, { reports, self: 'pg1' }), heard);
    expect(elsewhere).toMatchObject({
      verdict: 'HEALTHY',
      poolers: [{ reachable: 'unknown', report: { clients: 77 } }],
    });
    const holders = summarise(viewOf(store, { reports }), heard);
    expect(holders.because).toEqual(["the pooler on web0 has not reported to the primary's agent yet"]);
    expect(summarise(viewOf(healthy, { reports }), heard).because).toEqual(['the pooler on web0 has not reported yet']);
  });

  it.each([
    [{ state: 'paused' as const }, 'the pooler on web0 is paused'],
    [{ trouble: 'no login' }, 'pooler web0: no login'],
  ])('degrade it when they are not open or in trouble', (change, because) => {
    const reports = new Map([['web0', { report: { ...report, ...change }, atMs: nowMs }]]);
    expect(summarise(viewOf(healthy, { reports }), heard)).toMatchObject({ verdict: 'DEGRADED', because: [because] });
  });
});
