/** The decision as transcripts: what a node sees, and which acts follow. Chores and status are left out of them. */
import { describe, expect, it } from 'vitest';
import type { Action } from './actions.ts';
import type { ClusterView, LocalPostgres, MemberStatus, StoreView } from './cluster-view.ts';
import { decide } from './decide.ts';
import { leaseDeadlineMs } from './lease.ts';
import { lsnFromOffset } from './lsn.ts';
import { type DatabaseMemory, emptyMemory } from './memory.ts';
import type { NodeName, NodeRole, Spec } from './spec.ts';

const nowMs = 100_000;
const ttlMs = 6_000;

function node(name: NodeName, role: NodeRole) {
  const plain = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;
  return { ...plain, name, role, address: `${name}.test` };
}

const spec: Spec = {
  version: 1,
  cluster: 'psf',
  domain: 'psf.io',
  contact: null,
  datacenters: {},
  nodes: [node('pg0', 'database'), node('pg1', 'database'), node('web0', 'app')],
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
  lease: { ttlMs },
};

const stored = <T>(value: T) => ({ value, revision: 1 });
const held = (holder: NodeName, term = 8) => stored({ state: 'held' as const, term, holder, ttlMs });
const released = (to: NodeName) => stored({ state: 'released' as const, term: 8, by: 'pg1', to, ttlMs: 6_000 });

const facts = {
  systemIdentifier: '7',
  timeline: 4,
  serverVersion: '17.2',
  major: 17,
  slots: [],
  peers: [],
  pendingRestart: [],
  standbyMinimums: {},
  pid: 100,
};
const primary: LocalPostgres = {
  ...facts,
  state: 'primary',
  insertLsn: lsnFromOffset(0x3000100n),
  fork: null,
  syncSet: null,
};
const standby: LocalPostgres = {
  ...facts,
  state: 'standby',
  receivedLsn: null,
  replayedLsn: lsnFromOffset(0x3000100n),
  walEnd: null,
  replayPaused: false,
  lagS: 0,
  upstream: 'pg0',
  receiver: 'streaming',
  cannotStream: null,
};
const stopped = {
  state: 'stopped',
  systemIdentifier: '7',
  timeline: 4,
  checkpointLsn: lsnFromOffset(0x3000028n),
  shutdown: 'clean',
  lastRole: 'primary',
} as const;
const absent: LocalPostgres = { state: 'absent' };

function member(name: NodeName, term = 8): MemberStatus {
  return {
    node: name,
    counter: 5,
    term,
    cutTerm: 0,
    postgres: { state: 'primary', timeline: 4, lsn: '0/3000100' },
    serverVersion: '17.2',
    specRevision: 3,
    unconverged: [],
    pendingRestart: [],
    standbyMinimums: {},
    diskFreeBytes: null,
    agentVersion: '0.1.0',
    trouble: null,
  };
}

function viewOf(self: NodeName, postgres: LocalPostgres, store: Partial<StoreView>, at = nowMs): ClusterView {
  return {
    self,
    nowMs: at,
    store: {
      readAtMs: at,
      confirmedAtMs: at,
      spec: stored({ revision: 3, spec, appliedAt: '2026-11-19T14:00:00Z', appliedBy: 'ernest' }),
      cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
      lease: held('pg0'),
      renewal: stored({ term: 8, counter: 1 }),
      operation: null,
      members: new Map(),
      poolers: new Map(),
      durability: null,
      ballots: new Map(),
      timelines: new Map([[8, stored({ term: 8, timeline: 4, parent: null, forkLsn: '0/0' })]]),
      unreadable: [],
      ...store,
    },
    postgres,
    job: null,
    lastJobs: new Map(),
    reports: new Map(),
    requests: { driving: null, cancelOperation: null, reinit: false, restart: false },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0.1.0',
  };
}

const memory = emptyMemory(nowMs - 60_000);
const renewed = (sentAtMs: number, term = 8): DatabaseMemory => ({
  ...memory,
  renewal: { term, sentAtMs, ttlMs },
  lastRenewalTryMs: sentAtMs,
});

const chores = [
  'publish-status',
  'configure',
  'apply-slots',
  'apply-databases',
  'discard-kept',
  'forget-node',
  'set-sync-standbys',
  'write-durability',
];

function told(action: Action): string {
  switch (action.do) {
    case 'start':
      return action.as === 'primary' ? 'start primary' : `start standby of ${action.from}`;
    case 'clone':
      return `clone ${action.from}`;
    default:
      return action.do;
  }
}

/** Acts, or when there are none the codes of what is refused or waited for. */
function transcript(view: ClusterView, before: DatabaseMemory): string {
  const { actions, refused, reasons } = decide(view, before);
  const acts = actions.filter((action) => !chores.includes(action.do)).map(told);
  if (acts.length > 0) return acts.join(', ');
  if (refused.length > 0) return `refuse ${refused.map((refusal) => refusal.blockedBy).join(', ')}`;
  return `wait ${reasons.map((reason) => reason.code).join(', ')}`;
}

describe('a new cluster', () => {
  const empty = { cluster: null, lease: null, renewal: null };
  const mine = { cluster: null, lease: held('pg0', 1), renewal: stored({ term: 1, counter: 1 }) };
  const fresh = renewed(nowMs - 10, 1);
  const theirs = { lease: held('pg0', 1) };
  const writable = { ...theirs, members: new Map([['pg0', stored(member('pg0', 1))]]) };

  it.each([
    ['the first node, empty', viewOf('pg0', absent, empty), memory, 'take-first-lease'],
    ['the first node, unfinished', viewOf('pg0', { state: 'unfinished' }, empty), memory, 'take-first-lease'],
    ['the second node', viewOf('pg1', absent, empty), memory, 'wait not-first-node'],
    ['the first node, with data', viewOf('pg0', stopped, empty), memory, 'refuse data-directory-in-use'],
    ['the first node, running', viewOf('pg0', primary, empty), memory, 'refuse data-directory-in-use'],
    ['a foreign directory', viewOf('pg0', { state: 'foreign', because: 'x' }, empty), memory, 'refuse foreign'],
    ['a cluster that lost its lease', viewOf('pg0', absent, { lease: null }), memory, 'refuse lease-missing'],
    ['no spec', viewOf('pg0', absent, { ...empty, spec: null }), memory, 'wait no-spec'],
    ['a store never read', viewOf('pg0', absent, { ...empty, readAtMs: null }), memory, 'wait lease-unread'],
    ['an unreadable lease', viewOf('pg0', absent, { ...empty, unreadable: ['lease'] }), memory, 'wait lease-unread'],
    ['first lease held', viewOf('pg0', absent, mine), fresh, 'initialise'],
    ['initialised', viewOf('pg0', stopped, mine), fresh, 'start primary'],
    ['the first primary', viewOf('pg0', primary, mine), fresh, 'record-cluster'],
    [
      'others, unnamed cluster',
      viewOf('pg1', absent, { ...writable, cluster: null }),
      memory,
      'wait holder-not-writable',
    ],
    ['others, holder not writable', viewOf('pg1', absent, theirs), memory, 'wait holder-not-writable'],
    ['others, holder writable', viewOf('pg1', absent, writable), memory, 'clone pg0'],
    ['others, cloned', viewOf('pg1', { ...stopped, lastRole: 'standby' }, writable), memory, 'start standby of pg0'],
    ['others, streaming', viewOf('pg1', standby, writable), memory, 'wait lease-held-by-other'],
    ['holder without data', viewOf('pg0', absent, { lease: held('pg0') }), renewed(nowMs), 'refuse no-data'],
  ])('%s', (_, view, before, expected) => {
    expect(transcript(view, before)).toBe(expected);
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
  ])('a holder %d ms after its renewal: %s', (age, expected) => {
    expect(transcript(viewOf('pg0', primary, {}), renewed(nowMs - age))).toBe(expected);
  });

  it('looks again in time for the next renewal', () => {
    expect(decide(viewOf('pg0', primary, {}), renewed(nowMs - 900)).lookAgainInMs).toBe(100);
  });

  it('counts the deadline from the acknowledged renewal, not from the last attempt', () => {
    const tried = { ...renewed(nowMs - deadline), lastRenewalTryMs: nowMs - 10 };
    expect(transcript(viewOf('pg0', primary, {}), tried)).toBe('stop');
  });

  it('lets a restarted agent have one TTL to renew, and no more', () => {
    const view = viewOf('pg0', primary, {});
    expect(transcript(view, emptyMemory(nowMs))).toBe('renew-lease');
    expect(transcript(view, emptyMemory(nowMs - deadline + 1))).toBe('renew-lease');
    expect(transcript(view, emptyMemory(nowMs - deadline))).toBe('stop');
  });

  it.each<[string, Partial<StoreView>]>([
    ['lease-held-by-other', { lease: held('pg1', 9) }],
    ['lease-missing', { lease: null }],
    ['lease-released', { lease: released('pg1') }],
    ['lease-released', { lease: released('pg0') }],
    ['lease-never-read', { readAtMs: null }],
  ])('a primary demotes: %s', (code, store) => {
    const decision = decide(viewOf('pg0', primary, store), renewed(nowMs - 10));
    expect(decision.actions[0]).toMatchObject({ do: 'stop', drain: null, awaitStandby: null, because: [code] });
    expect(decision.actions.map((action) => action.do)).not.toContain('renew-lease');
  });

  it('demotes although another job is under way', () => {
    const job = { kind: 'databases', startedAtMs: nowMs - 5_000, progress: null } as const;
    const view = { ...viewOf('pg0', primary, { lease: held('pg1', 9) }), job };
    expect(transcript(view, memory)).toBe('stop');
  });

  it('a standby is not stopped for a lease that is not its own', () => {
    expect(transcript(viewOf('pg1', standby, {}), memory)).toBe('wait lease-held-by-other');
  });
});

describe('a holder whose server is down', () => {
  const wasStandby: LocalPostgres = { ...stopped, lastRole: 'standby' };
  const young = nowMs - 900;

  it.each<[string, LocalPostgres, DatabaseMemory, string]>([
    ['stopped, fresh renewal', stopped, renewed(young), 'start primary'],
    ['was standby, fresh renewal', wasStandby, renewed(young), 'start standby of pg1'],
    ['standby, fresh renewal', standby, renewed(young), 'promote'],
    ['stopped, none', stopped, emptyMemory(nowMs), 'renew-lease'],
    ['standby, none', standby, emptyMemory(nowMs), 'renew-lease'],
    ['stopped, of an older term', stopped, renewed(young, 7), 'renew-lease'],
    ['standby, of an older term', standby, renewed(young, 7), 'renew-lease'],
    ['stopped, too little left', stopped, renewed(nowMs - 4_440), 'renew-lease'],
    ['stopped, just enough left', stopped, renewed(nowMs - 4_439), 'renew-lease, start primary'],
    ['standby, expired', standby, renewed(nowMs - 60_000), 'renew-lease'],
    ['another system', { ...stopped, systemIdentifier: '8' }, renewed(young), 'refuse other-cluster'],
    ['a foreign directory', { state: 'foreign', because: 'x' }, renewed(young), 'refuse foreign'],
    ['not determined', { state: 'unknown', because: 'x', pid: 5 }, renewed(young), 'wait postgres-unknown'],
    ['starting', { state: 'starting', pid: 5 }, renewed(young), 'wait postgres-starting'],
  ])('%s', (_, postgres, before, expected) => {
    expect(transcript(viewOf('pg0', postgres, {}), before)).toBe(expected);
  });

  it('waits for an answer where a renewal without acknowledgement was just sent', () => {
    const tried = { ...memory, lastRenewalTryMs: nowMs - 100 };
    expect(transcript(viewOf('pg0', stopped, {}), tried)).toBe('wait renewal-awaited');
  });

  it('leaves a job alone, and renews meanwhile', () => {
    const job = { kind: 'start', startedAtMs: nowMs - 50, progress: null } as const;
    const view = { ...viewOf('pg0', stopped, {}), job };
    expect(transcript(view, renewed(young))).toBe('wait job-start');
    expect(transcript(view, renewed(nowMs - 1_000))).toBe('renew-lease');
  });

  it('does not try a failed start again at once', () => {
    const failed = {
      outcome: 'failed',
      error: 'no room',
      startedAtMs: nowMs - 200,
      finishedAtMs: nowMs - 100,
    } as const;
    const view = {
      ...viewOf('pg0', stopped, {}),
      lastJobs: new Map([['start', { kind: 'start', ...failed }] as const]),
    };
    expect(transcript(view, renewed(young))).toBe('wait start-failed');
    expect(transcript({ ...view, nowMs: nowMs + 1_900 }, renewed(nowMs + 1_000))).toBe('start primary');
  });
});

describe('a node without the lease', () => {
  const writable = { members: new Map([['pg0', stored(member('pg0'))]]) };

  it('starts as a standby only towards a writable holder, or after 15 s as a mere follower', () => {
    const first = decide(viewOf('pg1', stopped, {}), memory);
    expect(first.reasons.map((reason) => reason.code)).toEqual(['holder-not-writable']);
    const alive = { renewal: { value: { term: 8, counter: 9 }, revision: 90 } };
    expect(transcript(viewOf('pg1', stopped, alive, nowMs + 14_999), first.memory)).toBe('wait holder-not-writable');
    expect(transcript(viewOf('pg1', stopped, alive, nowMs + 15_000), first.memory)).toBe('start standby of pg0');
  });

  it('does not take the word of an earlier term or of a silent agent', () => {
    const old = { members: new Map([['pg0', stored(member('pg0', 7))]]) };
    expect(transcript(viewOf('pg1', absent, old), memory)).toBe('wait holder-not-writable');
    const silent = { ...memory, memberSeen: new Map([['pg0', { counter: 5, atMs: nowMs - 6_001 }]]) };
    expect(transcript(viewOf('pg1', absent, writable), silent)).toBe('wait holder-not-writable');
  });

  it('never touches a directory of another system', () => {
    const other: LocalPostgres = { ...stopped, systemIdentifier: '8' };
    expect(transcript(viewOf('pg1', other, writable), memory)).toBe('refuse other-cluster');
    const asked = {
      ...viewOf('pg1', other, writable),
      requests: { driving: null, cancelOperation: null, reinit: true, restart: false },
    };
    expect(transcript(asked, memory)).toBe('refuse other-cluster');
  });

  it('follows a holder that moved once it is writable', () => {
    const away: LocalPostgres = { ...standby, upstream: 'pg9', receiver: 'none' };
    expect(transcript(viewOf('pg1', away, {}), memory)).toBe('wait not-streaming');
    expect(transcript(viewOf('pg1', away, writable), memory)).toBe('follow');
  });

  it('stops its standby when the spec no longer names it, and keeps a primary', () => {
    const without = stored({
      revision: 4,
      spec: { ...spec, nodes: [node('pg0', 'database')] },
      appliedAt: '2026-11-19T14:00:00Z',
      appliedBy: 'ernest',
    });
    expect(transcript(viewOf('pg1', standby, { spec: without }), memory)).toBe('stop');
    const mine = viewOf('pg1', primary, { spec: without, lease: held('pg1') });
    expect(transcript(mine, renewed(nowMs - 10))).toBe('refuse holds-lease');
  });
});
