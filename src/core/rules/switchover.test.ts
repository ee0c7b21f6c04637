/** A switchover from pg0 to pg1 as each side decides it, through the whole decision. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../actions.ts';
import type { ClusterView, FinishedJob, JobKind, LocalPostgres, PoolerReport, Requests } from '../cluster-view.ts';
import { decide } from '../decide.ts';
import { type Lease, leaseDeadlineMs } from '../lease.ts';
import { type Lsn, lsnFromOffset } from '../lsn.ts';
import { type DatabaseMemory, emptyMemory } from '../memory.ts';
import type { Operation, OperationPhase, OperationPlan } from '../operation.ts';
import type { NodeName, NodeRole, Spec } from '../spec.ts';

const nowMs = 100_000;
const ttlMs = 6_000;
const shutdownAt = 0x3000028;
const lsn = (offset: number): Lsn => lsnFromOffset(BigInt(offset));

function node(name: NodeName, role: NodeRole) {
  const plain = { datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null } as const;
  return { ...plain, name, role, address: `${name}.test` };
}

const limits = { drainTimeoutMs: 5_000, stopTimeoutMs: 4_000, promoteTimeoutMs: 3_000 };
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
  switchover: { ...limits, longTransactionMs: 5_000, maxLagBytes: 1_048_576 },
  lease: { ttlMs },
};

const plan: OperationPlan = {
  ...limits,
  id: 'R-0007',
  kind: 'switchover',
  from: 'pg0',
  to: 'pg1',
  term: 8,
  poolers: ['web0'],
  without: [],
  forceAfterMs: null,
  paceMs: 0,
  startedAt: '2026-11-19T14:00:00Z',
  requestedBy: 'ernest',
};
const pausing: OperationPhase = { phase: 'pausing' };
const stoppedPhase: OperationPhase = { phase: 'stopped', shutdownLsn: '0/3000028', timeline: 4 };
const handedOver: OperationPhase = { phase: 'handed-over', shutdownLsn: '0/3000028', timeline: 4 };

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
const primary: LocalPostgres = { ...facts, state: 'primary', insertLsn: lsn(0x3000100), fork: null, syncSet: null };
const stopped = {
  state: 'stopped',
  systemIdentifier: '7',
  timeline: 4,
  checkpointLsn: lsn(shutdownAt),
  shutdown: 'clean',
  lastRole: 'primary',
} as const;

function standby(replayed: number, timeline = 4): LocalPostgres {
  const replay = { receivedLsn: null, replayedLsn: lsn(replayed), walEnd: null, replayPaused: false, lagS: 0 };
  return {
    ...facts,
    ...replay,
    state: 'standby',
    timeline,
    upstream: 'pg0',
    receiver: 'streaming',
    cannotStream: null,
  };
}

function report(change: Partial<PoolerReport> = {}): PoolerReport {
  return {
    node: 'web0',
    counter: 9,
    state: 'paused',
    operation: plan.id,
    term: 8,
    primary: 'pg0',
    clients: 12,
    waiting: 0,
    specRevision: 3,
    blockers: [],
    poolerVersion: '1.24.0',
    lastPause: null,
    trouble: null,
    ...change,
  };
}

const blocked = report({
  state: 'pausing',
  blockers: [{ alias: 'shop', serverPid: 4711, client: 'web0:5000', ageMs: 2_500 }],
});
const resumed = report({
  state: 'open',
  operation: null,
  term: 9,
  primary: 'pg1',
  lastPause: { operation: plan.id, drainMs: 12, pausedMs: 240, applications: [] },
});

function job(kind: JobKind, outcome: FinishedJob['outcome'], startedAtMs: number): ClusterView['lastJobs'] {
  const error = outcome === 'failed' ? `${kind} took too long` : null;
  return new Map([[kind, { kind, outcome, startedAtMs, finishedAtMs: startedAtMs + 100, error }]]);
}

interface Scene {
  readonly self: NodeName;
  readonly phase: OperationPhase | null;
  readonly postgres: LocalPostgres;
  readonly lease?: Lease;
  readonly plan?: Partial<OperationPlan>;
  readonly report?: PoolerReport | null;
  readonly requests?: Partial<Requests>;
  readonly lastJobs?: ClusterView['lastJobs'];
  /** For how long this agent has seen the phase. */
  readonly elapsedMs?: number;
  readonly renewalAgeMs?: number | null;
  readonly resumedAgeMs?: number;
}

const stored = <T>(value: T) => ({ value, revision: 17 });

function decideIn(scene: Scene) {
  const driver = scene.self === 'pg0' ? plan.id : null;
  const lease = scene.lease ?? { state: 'held', term: 8, holder: 'pg0', ttlMs };
  const operation: Operation | null =
    scene.phase === null ? null : { ...plan, ...scene.plan, ...scene.phase, timings: [] };
  const heard = scene.report === undefined ? report() : scene.report;
  const view: ClusterView = {
    self: scene.self,
    nowMs,
    store: {
      readAtMs: nowMs,
      confirmedAtMs: nowMs,
      spec: stored({ revision: 3, spec, appliedAt: '2026-11-19T14:00:00Z', appliedBy: 'ernest' }),
      cluster: stored({ systemIdentifier: '7', postgresMajor: 17 }),
      lease: stored(lease),
      renewal: stored({ term: lease.term, counter: 1 }),
      operation: operation === null ? null : stored(operation),
      members: new Map(),
      poolers: new Map(),
      durability: null,
      ballots: new Map(),
      timelines: new Map(),
      unreadable: [],
    },
    postgres: scene.postgres,
    job: null,
    lastJobs: scene.lastJobs ?? new Map(),
    reports: heard === null ? new Map() : new Map([['web0', { report: heard, atMs: nowMs - 5 }]]),
    requests: { driving: driver, cancelOperation: null, reinit: false, restart: false, ...scene.requests },
    promise: { kind: 'none' },
    bootId: 'boot',
    diskFreeBytes: null,
    agentVersion: '0.1.0',
  };
  const age = scene.renewalAgeMs === undefined ? 10 : scene.renewalAgeMs;
  const since = nowMs - (scene.elapsedMs ?? 500);
  const memory: DatabaseMemory = {
    ...emptyMemory(nowMs - 3_000),
    renewal: age === null ? null : { term: lease.term, sentAtMs: nowMs - age, ttlMs },
    lastRenewalTryMs: age === null ? null : nowMs - age,
    operation:
      operation === null
        ? null
        : {
            id: operation.id,
            phase: operation.phase,
            phaseSinceMs: since,
            drainedAtMs: null,
            writableAtMs: scene.resumedAgeMs === undefined ? null : nowMs - scene.resumedAgeMs - 20,
            resumedAtMs: scene.resumedAgeMs === undefined ? null : nowMs - scene.resumedAgeMs,
            timings: [],
          },
  };
  return decide(view, memory);
}

const chores = ['publish-status', 'configure', 'apply-slots', 'apply-databases', 'discard-kept', 'forget-node'];
const acts = (actions: readonly Action[]): readonly Action[] => actions.filter((action) => !chores.includes(action.do));

/** The acts with what distinguishes them; without any, what is refused or waited for. */
function transcript(scene: Scene): string {
  const decision = decideIn(scene);
  const told = acts(decision.actions).map((action) => {
    if (action.do === 'undo-operation') return `undo ${action.reason}`;
    if (action.do === 'start') return `start ${action.as}`;
    if (action.do === 'release-lease') return `release-lease to ${action.to}`;
    if (action.do === 'end-blockers') return `end ${action.pids.join(' ')}`;
    return action.do;
  });
  if (told.length > 0) return told.join(', ');
  if (decision.refused.length > 0) return `refuse ${decision.refused[0]?.blockedBy}`;
  return `wait ${decision.reasons[0]?.code}`;
}

describe('the old primary', () => {
  const on = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'pg0',
    phase: pausing,
    postgres,
    ...more,
  });
  const ownStop = job('stop', 'done', nowMs - 200);
  const waiting = on(stopped, { phase: stoppedPhase });

  it.each<[string, Scene, string]>([
    ['nothing heard', on(primary, { report: null }), 'wait draining'],
    ['still open', on(primary, { report: report({ state: 'open' }) }), 'wait draining'],
    ['paused for another operation', on(primary, { report: report({ operation: 'R-0006' }) }), 'wait draining'],
    ['a pooler waits for a client', on(primary, { report: blocked }), 'wait draining'],
    ['before force', on(primary, { report: blocked, plan: { forceAfterMs: 501 } }), 'wait draining'],
    ['force', on(primary, { report: blocked, plan: { forceAfterMs: 500 } }), 'end 4711'],
    ['drained', on(primary), 'stop'],
    ['no poolers at all', on(primary, { plan: { poolers: [] }, report: null }), 'stop'],
    ['drained, at a pace', on(primary, { plan: { paceMs: 50 } }), 'wait paced'],
    ['stopping', on({ state: 'stopping', pid: 5 }), 'wait awaiting-postgres'],
    ['stopped by its own stop', on(stopped, { lastJobs: ownStop }), 'publish-stopped'],
    ['stopped without a job', on(stopped), 'undo primary-failed'],
    ['an older stop', on(stopped, { lastJobs: job('stop', 'done', nowMs - 501) }), 'undo primary-failed'],
    ['crashed', on({ ...stopped, shutdown: 'crashed' }, { lastJobs: ownStop }), 'undo primary-failed'],
    ['published', waiting, 'wait awaiting-target'],
  ])('%s', (_, scene, expected) => {
    expect(transcript(scene)).toBe(expected);
  });

  it('stops only together with the target, within the limits of the plan', () => {
    expect(acts(decideIn(on(primary, { plan: { forceAfterMs: 700 } })).actions)).toMatchObject([
      { do: 'stop', awaitStandby: 'pg1', patienceMs: 4_000, drain: { endAfterMs: 700 } },
    ]);
    const [stop] = acts(decideIn(on(primary, { plan: { forceAfterMs: 700 } })).actions);
    // Writable meanwhile, so never past the lease as it stands.
    expect(stop).toHaveProperty('drain.withinMs');
    expect(stop?.do === 'stop' ? (stop.drain?.withinMs ?? 0) : 0).toBeLessThanOrEqual(4_940);
  });

  it('publishes where it shut down, against the operation and the lease that it saw', () => {
    expect(acts(decideIn(on(stopped, { lastJobs: ownStop })).actions)).toMatchObject([
      {
        do: 'publish-stopped',
        shutdownLsn: '0/3000028',
        timeline: 4,
        operation: { revision: 17, value: { id: plan.id } },
        lease: { revision: 17, value: { term: 8 } },
      },
    ]);
  });

  it.each<[string, Scene, string]>([
    ['drain in time', on(primary, { report: blocked, elapsedMs: 5_000 }), 'wait draining'],
    ['drain too late', on(primary, { report: blocked, elapsedMs: 5_001 }), 'undo drain-timeout'],
    ['stop failed', on(primary, { lastJobs: job('stop', 'failed', nowMs - 200) }), 'undo stop-timeout'],
    ['an older stop failed', on(primary, { lastJobs: job('stop', 'failed', nowMs - 900) }), 'stop'],
    ['agent restarted, pausing', on(primary, { requests: { driving: null } }), 'undo agent-restarted'],
    ['agent restarted, stopped', { ...waiting, requests: { driving: null } }, 'undo agent-restarted'],
    ['cancelled, pausing', on(primary, { requests: { cancelOperation: plan.id } }), 'undo cancelled'],
    ['cancelled, stopped', { ...waiting, requests: { cancelOperation: plan.id } }, 'undo cancelled'],
    ['another one cancelled', on(primary, { requests: { cancelOperation: 'R-0006' } }), 'stop'],
    ['handover in time', { ...waiting, elapsedMs: 3_000 }, 'wait awaiting-target'],
    ['handover too late', { ...waiting, elapsedMs: 3_001 }, 'undo handover-timeout'],
    ['handover too late, at a pace', { ...waiting, elapsedMs: 3_001, plan: { paceMs: 50 } }, 'wait awaiting-target'],
    ['begun in another term', on(primary, { plan: { term: 7 } }), 'undo lease-lost'],
    ['begun by another node', on(primary, { plan: { from: 'pg1', to: 'pg0' } }), 'undo lease-lost'],
  ])('undo: %s', (_, scene, expected) => {
    expect(transcript(scene)).toBe(expected);
  });

  it('draws a receipt of the undone operation that names what held it up', () => {
    const [undo] = acts(decideIn(on(primary, { report: blocked, elapsedMs: 5_001 })).actions);
    expect(undo).toMatchObject({
      receipt: { id: plan.id, outcome: 'undone', undoReason: 'drain-timeout', termBefore: 8, termAfter: 8 },
      detail: 'web0 waits for shop pid 4711 for web0:5000 since 2.5 s',
    });
  });

  it('starts again only after the operation is undone', () => {
    const undone: OperationPhase = { phase: 'undone', reason: 'cancelled', detail: '' };
    expect(transcript({ ...waiting, requests: { driving: null } })).toBe('undo agent-restarted');
    expect(transcript({ ...waiting, phase: undone })).toBe('start primary');
    expect(transcript({ ...waiting, phase: undone, renewalAgeMs: null })).toBe('renew-lease');
  });

  it('demotes at its deadline in the middle of it', () => {
    expect(acts(decideIn(on(primary, { renewalAgeMs: 4_940 })).actions)).toMatchObject([
      { do: 'stop', awaitStandby: null, drain: null, because: ['lease-expired'] },
    ]);
  });

  it.each<[string, LocalPostgres, string]>([
    ['stopped', stopped, 'take-released-lease'],
    ['as a standby already', standby(0x3000100), 'take-released-lease'],
    ['not while PostgreSQL runs up', { state: 'starting', pid: 5 }, 'wait released-to-me'],
  ])('takes back a lease released to it by name, %s', (_, postgres, expected) => {
    const lease: Lease = { state: 'released', term: 9, by: 'pg1', to: 'pg0', ttlMs: 6_000 };
    const scene: Scene = { self: 'pg0', phase: handedOver, postgres, lease };
    expect(transcript(scene)).toBe(expected);
    const [take] = acts(decideIn(scene).actions);
    if (take?.do !== 'take-released-lease') return;
    expect(take.undo).toMatchObject({ reason: 'promote-timeout', receipt: { termBefore: 8, termAfter: 10 } });
    expect(transcript({ ...scene, phase: null })).toBe('take-released-lease');
  });
});

describe('the target', () => {
  const at = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'pg1',
    phase: stoppedPhase,
    postgres,
    ...more,
  });
  const past = standby(shutdownAt + 1);
  const late: Lease = { state: 'held', term: 9, holder: 'pg0', ttlMs };
  const elsewhere: Lease = { state: 'held', term: 9, holder: 'pg1', ttlMs };

  it.each<[string, Scene, string]>([
    ['pausing', at(past, { phase: pausing }), 'wait target-of-switchover'],
    ['replay behind', at(standby(shutdownAt - 1)), 'wait replay-behind'],
    ['at the checkpoint record, not past it', at(standby(shutdownAt)), 'wait replay-behind'],
    ['past it', at(past), 'take-handover, promote'],
    ['past it, at a pace', at(past, { plan: { paceMs: 50 } }), 'take-handover'],
    ['pace not over', at(past, { plan: { paceMs: 600 } }), 'wait paced'],
    ['another timeline', at(standby(shutdownAt + 1, 5)), 'refuse not-a-standby'],
    ['not running', at({ ...stopped, lastRole: 'standby' }), 'refuse not-a-standby'],
    ['the lease moved on', at(past, { lease: late }), 'refuse lease-moved'],
    ['not the target', at(past, { plan: { to: 'pg2' } }), 'wait lease-held-by-other'],
    ['undone', at(past, { phase: { phase: 'undone', reason: 'cancelled', detail: '' } }), 'wait lease-held-by-other'],
  ])('%s', (_, scene, expected) => {
    expect(transcript(scene)).toBe(expected);
  });

  it('takes over against the very record and lease that it saw', () => {
    expect(acts(decideIn(at(past)).actions)).toMatchObject([
      { do: 'take-handover', ttlMs, operation: { revision: 17 }, lease: { revision: 17, value: { holder: 'pg0' } } },
      { do: 'promote', withinMs: 3_000 },
    ]);
  });

  it('promotes after a paced handover on its next look', () => {
    const scene = at(past, { phase: handedOver, lease: elsewhere, plan: { paceMs: 400 } });
    expect(transcript(scene)).toBe('promote');
    expect(transcript({ ...scene, elapsedMs: 399 })).toBe('wait paced');
  });

  it('takes the handover exactly when it replayed past the shutdown location on its timeline', () => {
    const offset = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -0x2000000, max: 0x2000000 }));
    fc.assert(
      fc.property(offset, fc.integer({ min: 3, max: 5 }), fc.constantFrom(0, 50), (delta, timeline, paceMs) => {
        const { actions } = decideIn(at(standby(shutdownAt + delta, timeline), { plan: { paceMs } }));
        const taken = actions.some((action) => action.do === 'take-handover');
        expect(taken).toBe(delta > 0 && timeline === 4);
        expect(actions.some((action) => action.do === 'promote')).toBe(taken && paceMs === 0);
      }),
    );
  });
});

describe('the new primary', () => {
  const lease: Lease = { state: 'held', term: 9, holder: 'pg1', ttlMs };
  const as = (postgres: LocalPostgres, more: Partial<Scene> = {}): Scene => ({
    self: 'pg1',
    phase: handedOver,
    lease,
    postgres,
    report: null,
    ...more,
  });
  const promoted: LocalPostgres = {
    ...facts,
    state: 'primary',
    timeline: 5,
    insertLsn: lsn(0x3000200),
    fork: null,
    syncSet: null,
  };
  const down: LocalPostgres = { ...stopped, lastRole: 'standby' };
  const failed = job('promote', 'failed', nowMs - 300);
  const ready = standby(shutdownAt + 0x100);

  it.each<[string, Scene, string]>([
    ['not promoted yet', as(ready), 'promote'],
    ['without a fresh renewal', as(ready, { renewalAgeMs: null }), 'renew-lease'],
    ['writable, nothing heard', as(promoted), 'wait holds-lease'],
    ['writable, still paused', as(promoted, { report: report() }), 'wait holds-lease'],
    ['serving in the old term', as(promoted, { report: { ...resumed, term: 8 } }), 'wait holds-lease'],
    ['the poolers resumed just now', as(promoted, { report: resumed, resumedAgeMs: 20 }), 'wait first-commits'],
    ['the poolers have resumed', as(promoted, { report: resumed, resumedAgeMs: 100 }), 'finish-operation'],
    ['promotion failed', as(ready, { lastJobs: failed }), 'stop'],
    ['promotion too late', as(ready, { elapsedMs: 3_001 }), 'stop'],
    ['stopped, never left the timeline', as(down, { lastJobs: failed }), 'release-lease to pg0'],
    ['left the timeline', as({ ...stopped, timeline: 5 }, { lastJobs: failed }), 'start primary'],
    ['ran as primary on it', as(stopped, { lastJobs: failed }), 'start primary'],
    ['an earlier promotion failed', as(down, { lastJobs: job('promote', 'failed', nowMs - 600) }), 'start standby'],
  ])('%s', (_, scene, expected) => {
    expect(transcript(scene)).toBe(expected);
  });

  it('finishes with a receipt of the new term and timeline', () => {
    const [finish] = acts(decideIn(as(promoted, { report: resumed, resumedAgeMs: 100 })).actions);
    expect(finish).toMatchObject({
      receipt: { outcome: 'finished', termBefore: 8, termAfter: 9, timelineBefore: 4, timelineAfter: 5, pauseMs: 240 },
    });
  });

  it('does not stop a server that became writable, however late', () => {
    expect(transcript(as(promoted, { elapsedMs: 60_000, lastJobs: failed }))).toBe('wait holds-lease');
  });
});

describe('in whatever state', () => {
  const states: readonly LocalPostgres[] = [
    primary,
    standby(shutdownAt - 1),
    standby(shutdownAt + 1),
    standby(shutdownAt + 1, 5),
    stopped,
    { ...stopped, lastRole: 'standby' },
    { ...stopped, shutdown: 'crashed' },
    { ...stopped, systemIdentifier: '8' },
    { state: 'starting', pid: 5 },
    { state: 'stopping', pid: 5 },
    { state: 'unknown', because: 'silent', pid: 5 },
    { state: 'absent' },
    { state: 'unfinished' },
    { state: 'foreign', because: 'x' },
  ];
  const leases: readonly Lease[] = [
    ...[7, 8, 9].flatMap((term): Lease[] => [
      { state: 'held', term, holder: 'pg0', ttlMs },
      { state: 'held', term, holder: 'pg1', ttlMs },
    ]),
    { state: 'released', term: 9, by: 'pg1', to: 'pg0', ttlMs: 6_000 },
    { state: 'released', term: 9, by: 'pg0', to: 'pg1', ttlMs: 6_000 },
  ];
  const jobs: readonly ClusterView['lastJobs'][] = [
    new Map(),
    ...(['stop', 'start', 'promote'] as const).flatMap((kind) => [
      job(kind, 'done', nowMs - 4_000),
      job(kind, 'failed', nowMs - 4_000),
      job(kind, 'done', nowMs - 150),
    ]),
  ];
  const scenes = fc.record({
    self: fc.constantFrom('pg0', 'pg1'),
    phase: fc.constantFrom<OperationPhase | null>(
      pausing,
      stoppedPhase,
      handedOver,
      { phase: 'finished', receipt: 'R-0007' },
      { phase: 'undone', reason: 'cancelled', detail: '' },
      null,
    ),
    postgres: fc.constantFrom(...states),
    lease: fc.constantFrom(...leases),
    plan: fc.record({ paceMs: fc.constantFrom(0, 50), forceAfterMs: fc.constantFrom(null, 400) }),
    report: fc.constantFrom(null, report(), blocked, resumed),
    requests: fc.record({ driving: fc.constantFrom(null, plan.id), cancelOperation: fc.constantFrom(null, plan.id) }),
    lastJobs: fc.constantFrom(...jobs),
    elapsedMs: fc.nat(12_000),
    renewalAgeMs: fc.option(fc.nat(8_000)),
  });
  const runs = { numRuns: 5_000 };
  const empowers = (action: Action) =>
    action.do === 'promote' || action.do === 'initialise' || (action.do === 'start' && action.as === 'primary');

  it('the old primary starts nothing while its operation is active', () => {
    fc.assert(
      fc.property(scenes, fc.constantFrom(pausing, stoppedPhase), (scene, phase) => {
        expect(decideIn({ ...scene, self: 'pg0', phase }).actions.filter(empowers)).toEqual([]);
      }),
      runs,
    );
  });

  it('nothing becomes writable but on a lease of its own that was freshly renewed, or after a handover', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const { actions } = decideIn(scene);
        const at = actions.findIndex(empowers);
        if (at < 0 || actions.slice(0, at).some((action) => action.do === 'take-handover')) return;
        expect(scene.lease).toMatchObject({ state: 'held', holder: scene.self });
        expect(scene.renewalAgeMs).not.toBeNull();
        expect(nowMs).toBeLessThan(leaseDeadlineMs(nowMs - (scene.renewalAgeMs ?? 0), ttlMs));
      }),
      runs,
    );
  });

  it('only a node that has stopped gives the lease away', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const gives = decideIn(scene).actions.some(
          (action) => action.do === 'release-lease' || action.do === 'publish-stopped',
        );
        if (gives) expect(scene.postgres).toMatchObject({ state: 'stopped', timeline: 4 });
      }),
      runs,
    );
  });
});
