/**
 * What must hold for every view: the guards of the lease and of a switchover, over generated situations; and a planned
 * move as a transcript, seen by the old primary and by the target.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from './actions.ts';
import type { ClusterView, LocalPostgres } from './cluster-view.ts';
import { decide } from './decide.ts';
import { type Lease, leaseDeadlineMs } from './lease.ts';
import { type Lsn, lsnFromOffset } from './lsn.ts';
import { type DatabaseMemory, emptyMemory } from './memory.ts';
import type { Operation, OperationPhase } from './operation.ts';
import type { Spec } from './spec.ts';

const nowMs = 1_000_000;
const ttlMs = 6_000;
const lsn = (offset: number): Lsn => lsnFromOffset(BigInt(offset));
const shutdownLsn = '0/1000';
const plain = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;

const spec: Spec = {
  version: 1,
  cluster: 'psf',
  domain: 'psf.io',
  contact: null,
  datacenters: {},
  nodes: [
    { ...plain, name: 'db1', address: '10.0.0.1', role: 'database' },
    { ...plain, name: 'db2', address: '10.0.0.2', role: 'database' },
    { ...plain, name: 'web1', address: '10.0.0.3', role: 'app' },
  ],
  postgres: { major: 17, port: 5432, dataDirectory: null, binaryDirectory: null, parameters: {}, walBudgetMb: 1024 },
  store: { kind: 'etcd', endpoints: ['https://10.0.0.1:2379'], caFile: null },
  poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
  databases: [],
  applications: [{ name: 'shop', database: 'shop', rights: 'rw', nodes: ['web1'], poolSize: null }],
  switchover: {
    drainTimeoutMs: 10_000,
    stopTimeoutMs: 10_000,
    promoteTimeoutMs: 10_000,
    longTransactionMs: 5_000,
    maxLagBytes: 1_000,
  },
  lease: { ttlMs },
};

const server = {
  systemIdentifier: '7',
  timeline: 1,
  serverVersion: '17.2',
  major: 17,
  slots: [],
  peers: [],
  pendingRestart: [],
  standbyMinimums: {},
  pid: 1,
};
const primary: LocalPostgres = { ...server, state: 'primary', insertLsn: lsn(0x1000), fork: null, syncSet: null };
const standbyAt = (offset: number, timeline = 1): LocalPostgres => ({
  ...server,
  timeline,
  state: 'standby',
  receivedLsn: lsn(offset),
  replayedLsn: lsn(offset),
  walEnd: null,
  replayPaused: false,
  lagS: 0,
  upstream: 'db1',
  receiver: 'streaming',
  cannotStream: null,
});
const stoppedAs = (lastRole: 'primary' | 'standby', shutdown: 'clean' | 'crashed' = 'clean'): LocalPostgres => ({
  state: 'stopped',
  systemIdentifier: '7',
  timeline: 1,
  checkpointLsn: lsn(0x1000),
  shutdown,
  lastRole,
});

const plan = {
  id: 'R-0001',
  kind: 'switchover',
  from: 'db1',
  to: 'db2',
  term: 3,
  poolers: ['web1'],
  without: [],
  forceAfterMs: null,
  paceMs: 0,
  drainTimeoutMs: 10_000,
  stopTimeoutMs: 10_000,
  promoteTimeoutMs: 10_000,
  startedAt: '2026-01-01T00:00:00Z',
  requestedBy: 'ada',
  timings: [],
} as const;
const phases: Record<OperationPhase['phase'], Operation> = {
  pausing: { ...plan, phase: 'pausing' },
  stopped: { ...plan, phase: 'stopped', shutdownLsn, timeline: 1 },
  'handed-over': { ...plan, phase: 'handed-over', shutdownLsn, timeline: 1 },
  finished: { ...plan, phase: 'finished', receipt: 'R-0001' },
  undone: { ...plan, phase: 'undone', reason: 'cancelled', detail: '' },
};
const held = (holder: string, term = 3): Lease => ({ state: 'held', term, holder, ttlMs });

interface Scene {
  readonly self: string;
  readonly lease: Lease | null;
  readonly postgres: LocalPostgres;
  readonly operation?: Operation | null;
  /** How long ago this process's own renewal was sent; `null`: none since it started. */
  readonly renewedAgoMs?: number | null;
  readonly driving?: string | null;
  readonly drained?: boolean;
  readonly stopJob?: boolean;
}

function view(scene: Scene): ClusterView {
  const stored = <T>(value: T | null | undefined) =>
    value === null || value === undefined ? null : { value, revision: 5 };
  const done = { kind: 'stop', outcome: 'done', startedAtMs: nowMs, finishedAtMs: nowMs, error: null } as const;
  return {
    self: scene.self,
    nowMs,
    store: {
      readAtMs: nowMs,
      confirmedAtMs: nowMs,
      spec: stored({ revision: 1, spec, appliedAt: '', appliedBy: '' }),
      cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
      lease: stored(scene.lease),
      renewal: scene.lease === null ? null : stored({ term: scene.lease.term, counter: 1 }),
      operation: stored(scene.operation),
      members: new Map(),
      poolers: new Map(),
      durability: null,
      ballots: new Map(),
      timelines: new Map(),
      unreadable: [],
    },
    postgres: scene.postgres,
    job: null,
    lastJobs: scene.stopJob === true ? new Map([['stop', done]]) : new Map(),
    reports: scene.drained === true ? new Map([['web1', { report: pausedReport, atMs: nowMs }]]) : new Map(),
    requests: { driving: scene.driving ?? null, cancelOperation: null, reinit: false, restart: false },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0.1.0',
  };
}

const pausedReport = {
  node: 'web1',
  counter: 1,
  state: 'paused',
  operation: 'R-0001',
  term: 3,
  primary: 'db1',
  clients: 8,
  waiting: 8,
  specRevision: 1,
  blockers: [],
  poolerVersion: '1.24.1',
  lastPause: null,
  trouble: null,
} as const;

function memory(scene: Scene): DatabaseMemory {
  const ago = scene.renewedAgoMs ?? null;
  const renewal = ago === null ? null : { term: scene.lease?.term ?? 0, sentAtMs: nowMs - ago, ttlMs };
  return { ...emptyMemory(nowMs - 60_000), renewal };
}

function actions(scene: Scene): readonly Action[] {
  return decide(view(scene), memory(scene)).actions;
}

const moves = (scene: Scene): readonly string[] =>
  actions(scene)
    .map((action) => (action.do === 'start' ? `start ${action.as}` : action.do))
    .filter(
      (name) =>
        ![
          'publish-status',
          'renew-lease',
          'configure',
          'apply-slots',
          'discard-kept',
          'apply-databases',
          'forget-node',
        ].includes(name),
    );

const anyPostgres = fc.constantFrom<LocalPostgres>(
  primary,
  standbyAt(0x1000),
  standbyAt(0x1001),
  standbyAt(0x2000, 2),
  stoppedAs('primary'),
  stoppedAs('standby'),
  stoppedAs('primary', 'crashed'),
  { state: 'absent' },
  { state: 'unfinished' },
  { state: 'foreign', because: 'not ours' },
  { state: 'starting', pid: 1 },
  { state: 'stopping', pid: 1 },
  { state: 'unknown', because: 'it does not answer', pid: 1 },
);
const anyScene: fc.Arbitrary<Scene> = fc.record({
  self: fc.constantFrom('db1', 'db2'),
  lease: fc.constantFrom<Lease | null>(null, held('db1'), held('db2'), held('db2', 4), {
    state: 'released',
    ttlMs: 6_000,
    term: 4,
    by: 'db2',
    to: 'db1',
  }),
  postgres: anyPostgres,
  operation: fc.constantFrom<Operation | null>(null, ...Object.values(phases)),
  renewedAgoMs: fc.option(fc.integer({ min: 0, max: 2 * ttlMs }), { nil: null }),
  driving: fc.constantFrom(null, 'R-0001'),
  drained: fc.boolean(),
  stopJob: fc.boolean(),
});

describe('for every view', () => {
  it('makes nothing writable without the lease and a fresh renewal of its own', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        const planned = actions(scene);
        const taken = planned.findIndex((action) => action.do === 'take-handover');
        const writable = planned.findIndex(
          (action) => action.do === 'promote' || (action.do === 'start' && action.as === 'primary'),
        );
        if (writable === -1) return;
        if (taken !== -1) {
          // The promotion stands behind the transaction that must commit first.
          expect(taken).toBeLessThan(writable);
          return;
        }
        expect(scene.lease).toMatchObject({ state: 'held', holder: scene.self });
        expect(scene.renewedAgoMs ?? null).not.toBeNull();
        expect(nowMs).toBeLessThan(leaseDeadlineMs(nowMs - (scene.renewedAgoMs ?? 0), ttlMs));
      }),
      { numRuns: 5_000 },
    );
  });

  it('keeps the old primary stopped while its operation is active', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        const phase = scene.operation?.phase;
        if (scene.self !== 'db1' || (phase !== 'pausing' && phase !== 'stopped')) return;
        if (scene.lease?.state !== 'held' || scene.lease.holder !== 'db1') return;
        expect(moves(scene)).not.toContain('start primary');
        expect(moves(scene)).not.toContain('promote');
      }),
      { numRuns: 5_000 },
    );
  });

  it('hands over only to a target that replayed past the shutdown on its timeline, under the lease it began with', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        if (!actions(scene).some((action) => action.do === 'take-handover')) return;
        expect(scene.self).toBe('db2');
        expect(scene.operation?.phase).toBe('stopped');
        expect(scene.lease).toEqual(held('db1'));
        expect(scene.postgres).toMatchObject({ state: 'standby', timeline: 1, replayedLsn: lsn(0x1001) });
      }),
      { numRuns: 5_000 },
    );
  });

  it('stops a server that may be writable without the right to be', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        if (scene.postgres.state !== 'primary') return;
        const mine = scene.lease?.state === 'held' && scene.lease.holder === scene.self;
        const fresh = mine && scene.renewedAgoMs != null && nowMs < leaseDeadlineMs(nowMs - scene.renewedAgoMs, ttlMs);
        if (!fresh) expect(moves(scene)[0]).toBe('stop');
      }),
      { numRuns: 5_000 },
    );
  });

  it('never initialises or clones over anything', () => {
    fc.assert(
      fc.property(anyScene, (scene) => {
        const made = moves(scene).some((name) => name === 'initialise' || name === 'clone');
        if (made) expect(['absent', 'unfinished']).toContain(scene.postgres.state);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a planned move', () => {
  const holder = { lease: held('db1'), renewedAgoMs: 100 } as const;
  const old = { ...holder, self: 'db1', driving: 'R-0001' } as const;

  it.each<[string, Scene, readonly string[]]>([
    ['waits for the poolers', { ...old, postgres: primary, operation: phases.pausing }, []],
    ['stops when they are drained', { ...old, postgres: primary, operation: phases.pausing, drained: true }, ['stop']],
    [
      'publishes where it shut down',
      { ...old, postgres: stoppedAs('primary'), operation: phases.pausing, stopJob: true, drained: true },
      ['publish-stopped'],
    ],
    [
      'undoes when PostgreSQL ended by itself',
      { ...old, postgres: stoppedAs('primary', 'crashed'), operation: phases.pausing, stopJob: true },
      ['undo-operation'],
    ],
    [
      'undoes after a restart of its agent, before anything starts',
      { ...old, driving: null, postgres: stoppedAs('primary'), operation: phases.stopped },
      ['undo-operation'],
    ],
    [
      'starts again once undone',
      { ...old, postgres: stoppedAs('primary'), operation: phases.undone },
      ['start primary'],
    ],
    [
      'the target waits for the last record',
      { ...holder, self: 'db2', postgres: standbyAt(0x1000), operation: phases.stopped },
      [],
    ],
    [
      'the target takes over and promotes',
      { ...holder, self: 'db2', postgres: standbyAt(0x1001), operation: phases.stopped },
      ['take-handover', 'promote'],
    ],
    [
      'a restarted target goes on after the handover',
      {
        self: 'db2',
        lease: held('db2', 4),
        renewedAgoMs: 10,
        postgres: standbyAt(0x1001),
        operation: phases['handed-over'],
      },
      ['promote'],
    ],
    [
      'the old primary takes back what was released to it',
      {
        self: 'db1',
        lease: { state: 'released', term: 4, by: 'db2', to: 'db1', ttlMs: 6_000 },
        postgres: stoppedAs('primary'),
        operation: phases['handed-over'],
      },
      ['take-released-lease'],
    ],
  ])('%s', (_, scene, expected) => {
    expect(moves(scene)).toEqual(expected);
  });
});
