/** Each thing that may stand in the way of a switchover from db1, once. */

import { describe, expect, it } from 'vitest';
import { nodeSpec, specOf, storedSpec } from '../../../test/fixtures/spec.ts';
import {
  clusterView,
  held,
  memberPrimary,
  memberStandby,
  memberStatus,
  members,
  memoryRenewed,
  nowMs,
  operation,
  peer,
  plus,
  poolerReport,
  primary,
  stored,
  walEnd,
} from '../../../test/fixtures/view.ts';
import type { ClusterView, MemberStatus, StoreView } from '../cluster-view.ts';
import type { LocalPostgres, PostgresSession } from '../local-postgres.ts';
import type { OperationPhase } from '../operation.ts';
import { plainApplication } from '../plain-spec.ts';
import type { PoolerReport } from '../pooler-report.ts';
import type { NodeName, Spec } from '../spec.ts';
import { inspectSwitchover, pausablePoolers, type SwitchoverWish } from './preflight.ts';

const all = specOf(['db1', 'db2', 'db3', 'db4', 'mon1', 'web1', 'web2']);
/** db2 is preferred, db4 may never be primary, web2 serves no application. */
const spec: Spec = {
  ...all,
  nodes: all.nodes.map((node) =>
    node.name === 'db3'
      ? { ...node, priority: 50 }
      : node.name === 'db4'
        ? nodeSpec('db4', { failover: 'never' })
        : node,
  ),
  applications: [plainApplication('shop', ['web1'])],
};

const settings = { standbyMinimums: { max_connections: 100 } };
const behind = (name: NodeName, bytes: number) => peer(name, { replayLsn: plus(walEnd, -bytes) });
const streamedBy = (...peers: readonly ReturnType<typeof peer>[]) => primary({ ...settings, peers });
const member = (name: NodeName, change: Partial<MemberStatus> = {}) => memberStatus(name, { ...settings, ...change });
const open = poolerReport();
const session: PostgresSession = {
  pid: 4711,
  user: 'shop',
  database: 'shop',
  application: 'report',
  clientAddress: '10.0.3.1',
  state: 'idle in transaction',
  transactionAgeMs: 5_000,
};

interface Scene {
  readonly spec?: Spec | null;
  readonly store?: Partial<StoreView>;
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

/** By default nothing is in the way of a switchover to db2. */
function inspect(scene: Scene) {
  const standbys = ['db2', 'db3', 'db4'].map(
    (name) => scene.members?.find(({ node }) => node === name) ?? member(name),
  );
  const declared = scene.spec === undefined ? spec : scene.spec;
  const heard = scene.report === undefined ? open : scene.report;
  const view = clusterView({
    store: {
      spec: declared === null ? null : storedSpec(declared),
      members: members(member('db1', { postgres: memberPrimary() }), ...standbys),
      ...scene.store,
    },
    postgres: scene.postgres ?? streamedBy(peer('db2'), peer('db3'), peer('db4')),
    job: scene.job ?? null,
    reports:
      heard === null ? new Map() : new Map([['web1', { report: heard, atMs: nowMs - (scene.reportAgeMs ?? 9) }]]),
  });
  const seenAtMs = (node: NodeName) => nowMs - (scene.silent?.includes(node) ? 6_001 : 6_000);
  const memory = {
    ...memoryRenewed(scene.renewalAgeMs === undefined ? 100 : scene.renewalAgeMs),
    memberSeen: new Map(standbys.map(({ node, counter }) => [node, { counter, atMs: seenAtMs(node), moved: true }])),
  };
  const wish = { to: 'db2', forceAfterMs: null, without: [], ...scene.wish };
  return inspectSwitchover(view, memory, scene.sessions ?? [], wish);
}

const moving = (phase: OperationPhase): Scene => ({ store: { operation: stored(operation(phase)) } });
const blockersOf = (scene: Scene) => inspect(scene).blockers.map((blocker) => blocker.blockedBy);

describe('nothing in the way', () => {
  it('names both sides and the poolers that serve applications', () => {
    expect(inspect({})).toEqual({ from: 'db1', to: 'db2', poolers: ['web1'], blockers: [], warnings: [] });
    expect(pausablePoolers(spec)).toEqual(['web1']);
  });

  it.each<[string, Scene]>([
    ['a lag of just the limit', { postgres: streamedBy(behind('db2', 1_000)) }],
    ['a transaction just short of long', { sessions: [{ ...session, transactionAgeMs: 4_999 }] }],
    ['a pooler heard 5 s ago', { reportAgeMs: 5_000 }],
    ['an earlier operation that ended', moving({ phase: 'finished', receipt: 'R-0007' })],
    ['another standby that is silent', { silent: ['db3'] }],
    ['a target with smaller settings', { members: [member('db2', { standbyMinimums: { max_connections: 50 } })] }],
  ])('%s', (_, scene) => {
    expect(blockersOf(scene)).toEqual([]);
  });
});

describe('each blocker', () => {
  const cloning: MemberStatus['postgres'] = { state: 'cloning', bytesDone: 1, bytesTotal: null };
  const catchingUp = streamedBy(peer('db2', { state: 'catchup' }));
  const larger = { standbyMinimums: { max_connections: 200 } };

  it.each<[string, string, Scene]>([
    ['no-spec', 'no spec', { spec: null }],
    ['operation-active', 'R-0007 to db2', moving({ phase: 'pausing' })],
    ['operation-active', 'R-0007 is not finished', moving({ phase: 'handed-over', shutdownLsn: '0/1', timeline: 1 })],
    ['not-primary', 'db1', { store: { lease: held('db2') } }],
    ['lease-not-renewed', 'store', { renewalAgeMs: 4_940 }],
    ['lease-not-renewed', 'store', { renewalAgeMs: null }],
    ['primary-not-running', 'starting', { postgres: { state: 'starting', pid: 5 } }],
    ['busy', 'databases', { job: { kind: 'databases', startedAtMs: nowMs, progress: null } }],
    ['unknown-node', 'db1, db2, db3, db4', { wish: { to: 'db9' } }],
    ['not-a-database-node', 'web1 is an app node', { wish: { to: 'web1' } }],
    ['already-primary', 'db1', { wish: { to: 'db1' } }],
    ['failover-never', 'db4', { wish: { to: 'db4' } }],
    ['target-revoked', 'db2 was revoked', { wish: { to: 'db2' }, store: { shutOut: new Set(['db2']) } }],
    ['target-silent', 'db2', { silent: ['db2'] }],
    ['target-not-standby', 'cloning', { members: [member('db2', { postgres: cloning })] }],
    ['target-not-streaming', 'db2', { postgres: streamedBy(peer('db3')) }],
    ['target-not-streaming', 'db2', { postgres: catchingUp }],
    ['target-lags', '1001 bytes', { postgres: streamedBy(behind('db2', 1_001)) }],
    ['target-timeline', 'timeline 3', { members: [member('db2', { postgres: memberStandby({ timeline: 3 }) })] }],
    [
      'settings-behind',
      'db3 would stop replaying from db2 (max_connections 100 < 200): `understudy restart db3`',
      { members: [member('db2', larger), member('db4', larger)] },
    ],
    ['pooler-unreachable', '--without-pooler web1', { report: null }],
    ['pooler-unreachable', 'web1', { reportAgeMs: 5_001 }],
    ['pooler-not-open', 'web1 is down (no port)', { report: { ...open, state: 'down', trouble: 'no port' } }],
    ['unknown-pooler', 'web2 is no pooler', { wish: { without: ['web2'] } }],
    ['long-transaction', 'pid 4711 shop in shop from 10.0.3.1 (web1) (report)', { sessions: [session] }],
    ['session-pooling', 'session mode', { spec: { ...spec, poolers: { ...spec.poolers, mode: 'session' } } }],
  ])('%s: %s', (code, text, scene) => {
    const { blockers } = inspect(scene);
    expect(blockers.map((blocker) => blocker.blockedBy)).toEqual([code]);
    expect(blockers[0]?.text).toContain(text);
  });

  it('names all that is in the way at once', () => {
    const scene: Scene = { silent: ['db2'], report: null, sessions: [session] };
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
    ['pooler-excepted', { report: null, wish: { without: ['web1'] } }],
    ['standby-frozen', { postgres: streamedBy(peer('db2'), peer('db3', { replyAgeMs: 3_001 })) }],
  ])('%s', (code, scene) => {
    const { blockers, warnings } = inspect(scene);
    expect(blockers).toEqual([]);
    expect(warnings.map((warning) => warning.code)).toEqual([code]);
  });

  it('does not wait for a pooler that was left out', () => {
    expect(inspect({ wish: { without: ['web1'] } }).poolers).toEqual([]);
  });
});

describe('the target that nobody named', () => {
  const equal = { ...spec, nodes: spec.nodes.map((one) => ({ ...one, priority: 100 })) };
  const near = streamedBy(behind('db2', 100), peer('db3'), peer('db4'));
  const alone = { ...spec, nodes: spec.nodes.filter((one) => one.name !== 'db2' && one.name !== 'db3') };

  it.each<[string, Scene, string | null, readonly string[]]>([
    ['the highest priority', {}, 'db2', []],
    ['priority before lag', { postgres: near }, 'db2', []],
    ['the nearest among equals', { spec: equal, postgres: near }, 'db3', []],
    ['the first name among equals', { spec: equal }, 'db2', []],
    ['one that can, before one that is preferred', { silent: ['db2'] }, 'db3', []],
    ['the preferred one with its blocker', { silent: ['db2', 'db3'] }, 'db2', ['target-silent']],
    ['none that may', { spec: alone }, null, ['no-standby']],
  ])('%s', (_, scene, to, blockers) => {
    const verdict = inspect({ ...scene, wish: { to: null } });
    expect(verdict.to).toBe(to);
    expect(verdict.blockers.map((blocker) => blocker.blockedBy)).toEqual(blockers);
  });
});
