/** Each thing that may stand in the way of a switchover from pg0, once. */
import { describe, expect, it } from 'vitest';
import type { ClusterView, LocalPostgres, MemberStatus, PoolerReport, PostgresSession } from '../cluster-view.ts';
import { type Lsn, lsnFromOffset } from '../lsn.ts';
import { type DatabaseMemory, emptyMemory } from '../memory.ts';
import type { Operation, OperationPhase } from '../operation.ts';
import type { NodeName, NodeSpec, Spec } from '../spec.ts';
import { inspectSwitchover, pausablePoolers, type SwitchoverWish } from './preflight.ts';

const nowMs = 100_000;
const ttlMs = 6_000;
const lsn = (offset: number): Lsn => lsnFromOffset(BigInt(offset));

function node(name: NodeName, change: Partial<NodeSpec> = {}): NodeSpec {
  const plain = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;
  return { ...plain, name, role: 'database', address: `${name}.test`, ...change };
}

const spec: Spec = {
  version: 1,
  cluster: 'psf',
  domain: 'psf.io',
  contact: null,
  datacenters: {},
  nodes: [
    node('pg0'),
    node('pg1'),
    node('pg2', { priority: 50 }),
    node('pg3', { failover: 'never' }),
    node('mon0', { role: 'witness' }),
    node('web0', { role: 'app' }),
    node('web1', { role: 'app' }),
  ],
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
  databases: [{ name: 'shop', owner: 'shop' }],
  applications: [{ name: 'shop', database: 'shop', rights: 'rw', nodes: ['web0'], poolSize: null }],
  switchover: {
    drainTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
    promoteTimeoutMs: 5_000,
    longTransactionMs: 5_000,
    maxLagBytes: 1_000,
  },
  lease: { ttlMs },
};

const insertAt = 0x3001000;
const peer = (name: NodeName, behind = 0) => ({
  name,
  pid: 5,
  state: 'streaming',
  sentLsn: null,
  flushLsn: null,
  replayLsn: lsn(insertAt - behind),
  replyAgeMs: 3,
});

const primary = {
  state: 'primary',
  systemIdentifier: '7',
  timeline: 4,
  serverVersion: '17.2',
  major: 17,
  slots: [],
  peers: [peer('pg1'), peer('pg2'), peer('pg3')],
  pendingRestart: [],
  standbyMinimums: { max_connections: 100 },
  pid: 100,
  insertLsn: lsn(insertAt),
  fork: null,
  syncSet: null,
} as const satisfies LocalPostgres;

const standby: MemberStatus['postgres'] = {
  state: 'standby',
  timeline: 4,
  receivedLsn: '0/3001000',
  replayedLsn: '0/3001000',
  streamingFrom: 'pg0',
  lagS: 0,
};

function member(name: NodeName, change: Partial<MemberStatus> = {}): MemberStatus {
  return {
    node: name,
    counter: 5,
    term: 8,
    cutTerm: 0,
    postgres: standby,
    serverVersion: '17.2',
    specRevision: 3,
    unconverged: [],
    pendingRestart: [],
    standbyMinimums: { max_connections: 100 },
    diskFreeBytes: null,
    agentVersion: '0.1.0',
    trouble: null,
    ...change,
  };
}

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

function operation(phase: OperationPhase): Operation {
  return {
    ...phase,
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
    timings: [],
  };
}

const session: PostgresSession = {
  pid: 4711,
  user: 'shop',
  database: 'shop',
  application: 'report',
  clientAddress: 'web0.test',
  state: 'idle in transaction',
  transactionAgeMs: 5_000,
};

interface Scene {
  readonly spec?: Spec | null;
  readonly holder?: NodeName;
  readonly operation?: Operation;
  readonly postgres?: LocalPostgres;
  readonly members?: readonly MemberStatus[];
  /** Members whose agents were last heard too long ago. */
  readonly silent?: readonly NodeName[];
  readonly report?: PoolerReport | null;
  readonly reportAgeMs?: number;
  readonly renewalAgeMs?: number | null;
  readonly job?: ClusterView['job'];
  readonly sessions?: readonly PostgresSession[];
  readonly wish?: Partial<SwitchoverWish>;
}

const stored = <T>(value: T) => ({ value, revision: 1 });

function inspect(scene: Scene) {
  const members = [member('pg1'), member('pg2'), member('pg3')].map(
    (one) => scene.members?.find((other) => other.node === one.node) ?? one,
  );
  const declared = scene.spec === undefined ? spec : scene.spec;
  const applied = { revision: 3, appliedAt: '2026-11-19T14:00:00Z', appliedBy: 'ernest' };
  const heard = scene.report === undefined ? report : scene.report;
  const view: ClusterView = {
    self: 'pg0',
    nowMs,
    store: {
      readAtMs: nowMs,
      confirmedAtMs: nowMs,
      spec: declared === null ? null : stored({ ...applied, spec: declared }),
      cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
      lease: stored({ state: 'held', term: 8, holder: scene.holder ?? 'pg0', ttlMs }),
      renewal: stored({ term: 8, counter: 1 }),
      operation: scene.operation === undefined ? null : stored(scene.operation),
      members: new Map([member('pg0'), ...members].map((one) => [one.node, stored(one)])),
      poolers: new Map(),
      durability: null,
      ballots: new Map(),
      timelines: new Map(),
      unreadable: [],
    },
    postgres: scene.postgres ?? primary,
    job: scene.job ?? null,
    lastJobs: new Map(),
    reports:
      heard === null ? new Map() : new Map([['web0', { report: heard, atMs: nowMs - (scene.reportAgeMs ?? 9) }]]),
    requests: { driving: null, cancelOperation: null, reinit: false, restart: false },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0.1.0',
  };
  const age = scene.renewalAgeMs === undefined ? 100 : scene.renewalAgeMs;
  const memory: DatabaseMemory = {
    ...emptyMemory(nowMs - 60_000),
    renewal: age === null ? null : { term: 8, sentAtMs: nowMs - age, ttlMs },
    memberSeen: new Map(
      members.map((one) => [
        one.node,
        { counter: 5, atMs: nowMs - (scene.silent?.includes(one.node) ? 6_001 : 6_000) },
      ]),
    ),
  };
  const wish = { to: 'pg1', forceAfterMs: null, without: [], ...scene.wish };
  return inspectSwitchover(view, memory, scene.sessions ?? [], wish);
}

const blockersOf = (scene: Scene) => inspect(scene).blockers.map((blocker) => blocker.blockedBy);

describe('nothing in the way', () => {
  it('names both sides and the poolers that serve applications', () => {
    expect(inspect({})).toEqual({ from: 'pg0', to: 'pg1', poolers: ['web0'], blockers: [], warnings: [] });
    expect(pausablePoolers(spec)).toEqual(['web0']);
  });

  it.each<[string, Scene]>([
    ['a lag of just the limit', { postgres: { ...primary, peers: [peer('pg1', 1_000)] } }],
    ['a transaction just short of long', { sessions: [{ ...session, transactionAgeMs: 4_999 }] }],
    ['a pooler heard 5 s ago', { reportAgeMs: 5_000 }],
    ['an earlier operation that ended', { operation: operation({ phase: 'finished', receipt: 'R-0007' }) }],
    ['another standby that is silent', { silent: ['pg2'] }],
    ['a target with smaller settings', { members: [member('pg1', { standbyMinimums: { max_connections: 50 } })] }],
  ])('%s', (_, scene) => {
    expect(blockersOf(scene)).toEqual([]);
  });
});

describe('each blocker', () => {
  const cloning: MemberStatus['postgres'] = { state: 'cloning', bytesDone: 1, bytesTotal: null };
  const catchingUp = { ...primary, peers: [{ ...peer('pg1'), state: 'catchup' }] };
  const larger = { standbyMinimums: { max_connections: 200 } };

  it.each<[string, string, Scene]>([
    ['no-spec', 'no spec', { spec: null }],
    ['operation-active', 'R-0007 to pg1', { operation: operation({ phase: 'pausing' }) }],
    [
      'operation-active',
      'R-0007 is not finished',
      { operation: operation({ phase: 'handed-over', shutdownLsn: '0/1', timeline: 4 }) },
    ],
    ['not-primary', 'pg0', { holder: 'pg1' }],
    ['lease-not-renewed', 'store', { renewalAgeMs: 4_940 }],
    ['lease-not-renewed', 'store', { renewalAgeMs: null }],
    ['primary-not-running', 'starting', { postgres: { state: 'starting', pid: 5 } }],
    ['busy', 'databases', { job: { kind: 'databases', startedAtMs: nowMs, progress: null } }],
    ['unknown-node', 'pg0, pg1, pg2, pg3', { wish: { to: 'pg9' } }],
    ['not-a-database-node', 'web0 is an app node', { wish: { to: 'web0' } }],
    ['already-primary', 'pg0', { wish: { to: 'pg0' } }],
    ['failover-never', 'pg3', { wish: { to: 'pg3' } }],
    ['target-silent', 'pg1', { silent: ['pg1'] }],
    ['target-not-standby', 'cloning', { members: [member('pg1', { postgres: cloning })] }],
    ['target-not-streaming', 'pg1', { postgres: { ...primary, peers: [peer('pg2')] } }],
    ['target-not-streaming', 'pg1', { postgres: catchingUp }],
    ['target-lags', '1001 bytes', { postgres: { ...primary, peers: [peer('pg1', 1_001)] } }],
    ['target-timeline', 'timeline 3', { members: [member('pg1', { postgres: { ...standby, timeline: 3 } })] }],
    [
      'settings-behind',
      'pg2 would stop replaying from pg1 (max_connections 100 < 200): `understudy restart pg2`',
      { members: [member('pg1', larger), member('pg3', larger)] },
    ],
    ['pooler-unreachable', '--without-pooler web0', { report: null }],
    ['pooler-unreachable', 'web0', { reportAgeMs: 5_001 }],
    ['pooler-not-open', 'web0 is down (no port)', { report: { ...report, state: 'down', trouble: 'no port' } }],
    ['unknown-pooler', 'web1 is no pooler', { wish: { without: ['web1'] } }],
    ['long-transaction', 'pid 4711 shop@shop from web0.test (web0) (report)', { sessions: [session] }],
    ['session-pooling', 'session mode', { spec: { ...spec, poolers: { ...spec.poolers, mode: 'session' } } }],
  ])('%s: %s', (code, text, scene) => {
    const { blockers } = inspect(scene);
    expect(blockers.map((blocker) => blocker.blockedBy)).toEqual([code]);
    expect(blockers[0]?.text).toContain(text);
  });

  it('names all that is in the way at once', () => {
    const scene: Scene = { silent: ['pg1'], report: null, sessions: [session] };
    expect(blockersOf(scene)).toEqual(['target-silent', 'pooler-unreachable', 'long-transaction']);
  });
});

describe('what the operator accepts becomes a warning', () => {
  it.each<[string, Scene]>([
    ['long-transaction', { sessions: [session], wish: { forceAfterMs: 3_000 } }],
    [
      'session-pooling',
      { spec: { ...spec, poolers: { ...spec.poolers, mode: 'session' } }, wish: { forceAfterMs: 3_000 } },
    ],
    ['pooler-excepted', { report: null, wish: { without: ['web0'] } }],
    ['standby-frozen', { postgres: { ...primary, peers: [peer('pg1'), { ...peer('pg2'), replyAgeMs: 3_001 }] } }],
  ])('%s', (code, scene) => {
    const { blockers, warnings } = inspect(scene);
    expect(blockers).toEqual([]);
    expect(warnings.map((warning) => warning.code)).toEqual([code]);
  });

  it('does not wait for a pooler that was left out', () => {
    expect(inspect({ wish: { without: ['web0'] } }).poolers).toEqual([]);
  });
});

describe('the target that nobody named', () => {
  const equal = { ...spec, nodes: spec.nodes.map((one) => ({ ...one, priority: 100 })) };
  const near = { ...primary, peers: [peer('pg1', 100), peer('pg2'), peer('pg3')] };
  const alone = { ...spec, nodes: spec.nodes.filter((one) => one.name !== 'pg1' && one.name !== 'pg2') };

  it.each<[string, Scene, string | null, readonly string[]]>([
    ['the highest priority', {}, 'pg1', []],
    ['priority before lag', { postgres: near }, 'pg1', []],
    ['the nearest among equals', { spec: equal, postgres: near }, 'pg2', []],
    ['the first name among equals', { spec: equal }, 'pg1', []],
    ['one that can, before one that is preferred', { silent: ['pg1'] }, 'pg2', []],
    ['the preferred one with its blocker', { silent: ['pg1', 'pg2'] }, 'pg1', ['target-silent']],
    ['none that may', { spec: alone }, null, ['no-standby']],
  ])('%s', (_, scene, to, blockers) => {
    const verdict = inspect({ ...scene, wish: { to: null } });
    expect(verdict.to).toBe(to);
    expect(verdict.blockers.map((blocker) => blocker.blockedBy)).toEqual(blockers);
  });
});
