/**
 * Everything that may stand in the way of a switchover, named before anything is touched.
 *
 * A blocker refuses the switchover and says what would help; a warning is printed and it goes on. Sessions that only
 * hold up the drain are warnings when the operator said after how long they may be ended.
 */
import type { ClusterView, MemberStatus } from '../cluster-view.ts';
import type { Reason, Refusal } from '../decision.ts';
import type { PostgresSession } from '../local-postgres.ts';
import { bytesBehind, parseLsn } from '../lsn.ts';
import type { DatabaseMemory } from '../memory.ts';
import { assess, liveMember, type Situation } from '../situation.ts';
import { findNode, type NodeName, type NodeSpec, nodesOfRole, type Spec } from '../spec.ts';
import { activeOperation } from './switchover.ts';

export interface SwitchoverWish {
  readonly to: NodeName | null;
  readonly forceAfterMs: number | null;
  readonly without: readonly NodeName[];
}

export interface PreflightVerdict {
  readonly from: NodeName;
  readonly to: NodeName | null;
  readonly poolers: readonly NodeName[];
  readonly blockers: readonly Refusal[];
  readonly warnings: readonly Reason[];
}

/** A pooler that has not reported for this long is unreachable, in ms; it reports every 2 s. */
const poolerSilentAfterMs = 5_000;
/** A standby other than the target that has not replied for this long will be ended when it holds up the stop. */
const frozenAfterMs = 3_000;

export function inspectSwitchover(
  view: ClusterView,
  memory: DatabaseMemory,
  sessions: readonly PostgresSession[],
  wish: SwitchoverWish,
): PreflightVerdict {
  const situation = assess(view, memory);
  const { spec } = situation;
  const empty = { from: view.self, to: wish.to, poolers: [], warnings: [] };
  if (spec === null) return { ...empty, blockers: [block('no-spec', 'there is no spec in the store yet')] };
  const standing = holderBlockers(situation);
  if (standing.length > 0) return { ...empty, blockers: standing };
  const target = chooseTarget(situation, spec, wish.to);
  const poolers = pausablePoolers(spec).filter((node) => !wish.without.includes(node));
  const held = sessionFindings(spec, sessions, wish.forceAfterMs);
  const exceptions = wish.without.map((node) => ({
    code: 'pooler-excepted',
    text: `${node} is left out: its writers will see errors while the primary moves`,
  }));
  return {
    from: view.self,
    to: target.node?.name ?? wish.to,
    poolers,
    blockers: [
      ...target.blockers,
      ...(target.node === null ? [] : targetBlockers(situation, spec, target.node)),
      ...poolerBlockers(situation, poolers),
      ...unknownExceptions(spec, wish.without),
      ...held.blockers,
    ],
    warnings: [...held.warnings, ...exceptions, ...frozenStandbys(situation, target.node?.name ?? null)],
  };
}

/** App nodes whose poolers serve at least one application. */
export function pausablePoolers(spec: Spec): readonly NodeName[] {
  const named = new Set(spec.applications.flatMap((application) => application.nodes));
  return nodesOfRole(spec, 'app')
    .filter((node) => named.has(node.name))
    .map((node) => node.name);
}

function block(blockedBy: string, text: string): Refusal {
  return { what: 'switchover', blockedBy, text };
}

function holderBlockers(situation: Situation): readonly Refusal[] {
  const { view, lease, nowMs } = situation;
  const active = activeOperation(situation);
  if (active !== null)
    return [block('operation-active', `switchover ${active.value.id} to ${active.value.to} is under way`)];
  const operation = view.store.operation?.value;
  if (operation?.phase === 'handed-over')
    return [block('operation-active', `switchover ${operation.id} is not finished yet`)];
  if (view.store.handsOff !== null) return [block('hands-off', 'hands are off: `understudy hands-off --off` first')];
  if (lease.is !== 'mine') return [block('not-primary', `${situation.self} does not hold the lease`)];
  if (lease.deadlineMs === null || nowMs >= lease.deadlineMs)
    return [block('lease-not-renewed', 'the lease was not renewed in time: is the store reachable?')];
  if (view.postgres.state !== 'primary')
    return [block('primary-not-running', `PostgreSQL on ${situation.self} is ${view.postgres.state}`)];
  if (view.job !== null) return [block('busy', `${view.job.kind} is under way on ${situation.self}`)];
  return [];
}

function chooseTarget(
  situation: Situation,
  spec: Spec,
  to: NodeName | null,
): { node: NodeSpec | null; blockers: readonly Refusal[] } {
  const database = nodesOfRole(spec, 'database');
  if (to !== null) {
    const node = findNode(spec, to);
    const known = database.map((other) => other.name).join(', ');
    if (node === undefined)
      return { node: null, blockers: [block('unknown-node', `there is no node ${to}; database nodes are ${known}`)] };
    if (node.role !== 'database')
      return {
        node: null,
        blockers: [
          block(
            'not-a-database-node',
            `${to} is ${node.role === 'app' ? 'an app' : 'a witness'} node; database nodes are ${known}`,
          ),
        ],
      };
    if (to === situation.self)
      return { node: null, blockers: [block('already-primary', `${to} is the primary already`)] };
    return { node, blockers: [] };
  }
  const candidates = database.filter((node) => node.name !== situation.self && node.failover === 'allowed');
  const fit = candidates.filter((node) => targetBlockers(situation, spec, node).length === 0);
  const best = [...(fit.length > 0 ? fit : candidates)].sort((a, b) => preference(situation, a, b))[0];
  if (best === undefined)
    return { node: null, blockers: [block('no-standby', 'no other database node may become primary')] };
  return { node: best, blockers: [] };
}

function preference(situation: Situation, a: NodeSpec, b: NodeSpec): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const lag = lagBytes(situation, a.name) - lagBytes(situation, b.name);
  if (lag !== 0) return lag;
  return a.name < b.name ? -1 : 1;
}

function lagBytes(situation: Situation, node: NodeName): number {
  const { postgres } = situation.view;
  const member = liveMember(situation, node);
  if (postgres.state !== 'primary' || member?.postgres.state !== 'standby') return Number.MAX_SAFE_INTEGER;
  const peer = postgres.peers.find((other) => other.name === node);
  const replayed = peer?.replayLsn ?? parseLsn(member.postgres.replayedLsn);
  return replayed === undefined || replayed === null
    ? Number.MAX_SAFE_INTEGER
    : bytesBehind(postgres.insertLsn, replayed);
}

function targetBlockers(situation: Situation, spec: Spec, target: NodeSpec): readonly Refusal[] {
  const { name } = target;
  if (target.failover === 'never') return [block('failover-never', `${name} is declared \`failover: never\``)];
  if (situation.view.store.shutOut.has(name)) {
    return [block('target-revoked', `the certificate of ${name} was revoked: it has to enrol anew first`)];
  }
  const member = liveMember(situation, name);
  if (member === null) return [block('target-silent', `the agent of ${name} has not been heard lately`)];
  const { postgres } = situation.view;
  if (postgres.state !== 'primary' || member.postgres.state !== 'standby') {
    return [block('target-not-standby', `PostgreSQL on ${name} is ${member.postgres.state}`)];
  }
  const peer = postgres.peers.find((other) => other.name === name);
  if (peer === undefined || peer.state !== 'streaming')
    return [block('target-not-streaming', `${name} is not streaming from ${situation.self}`)];
  const lag = lagBytes(situation, name);
  const limit = spec.switchover.maxLagBytes;
  return [
    ...(lag > limit
      ? [block('target-lags', `${name} is ${lag} bytes behind; the limit is ${limit}. Wait, or find what holds it up`)]
      : []),
    ...(member.postgres.timeline === postgres.timeline
      ? []
      : [
          block(
            'target-timeline',
            `${name} is on timeline ${member.postgres.timeline}, the primary on ${postgres.timeline}`,
          ),
        ]),
    ...settingsBehind(situation, member),
  ];
}

/** A standby stops replaying when its primary allows more than it does itself (documentation 27.4.3). */
function settingsBehind(situation: Situation, target: MemberStatus): readonly Refusal[] {
  const { postgres, store } = situation.view;
  const others = [...store.members.values()]
    .map((stored) => stored.value)
    .filter((member) => member.node !== target.node);
  return others.flatMap((member) => {
    const minimums =
      member.node === situation.self && postgres.state === 'primary'
        ? postgres.standbyMinimums
        : member.standbyMinimums;
    const low = Object.entries(target.standbyMinimums).filter(([name, value]) => (minimums[name] ?? value) < value);
    // The old primary starts anew as a standby and so takes its pending settings up by itself.
    if (low.length === 0 || member.node === situation.self) return [];
    const names = low.map(([name, value]) => `${name} ${minimums[name]} < ${value}`).join(', ');
    return [
      block(
        'settings-behind',
        `${member.node} would stop replaying from ${target.node} (${names}): \`understudy restart ${member.node}\` first`,
      ),
    ];
  });
}

function poolerBlockers(situation: Situation, poolers: readonly NodeName[]): readonly Refusal[] {
  return poolers.flatMap((node) => {
    const heard = situation.view.reports.get(node);
    const except = `\`--without-pooler ${node}\` goes on without it`;
    if (heard === undefined || situation.nowMs - heard.atMs > poolerSilentAfterMs) {
      return [block('pooler-unreachable', `the agent of pooler ${node} has not been heard lately; ${except}`)];
    }
    const { state, trouble } = heard.report;
    if (state === 'open') return [];
    return [
      block('pooler-not-open', `pooler ${node} is ${state}${trouble === null ? '' : ` (${trouble})`}; ${except}`),
    ];
  });
}

function unknownExceptions(spec: Spec, without: readonly NodeName[]): readonly Refusal[] {
  const known = pausablePoolers(spec);
  return without
    .filter((node) => !known.includes(node))
    .map((node) => block('unknown-pooler', `${node} is no pooler of this cluster; poolers are ${known.join(', ')}`));
}

function sessionFindings(spec: Spec, sessions: readonly PostgresSession[], forceAfterMs: number | null) {
  const long = sessions.filter((session) => session.transactionAgeMs >= spec.switchover.longTransactionMs);
  const texts = long.map((s) => {
    const from = describeClient(spec, s.clientAddress);
    const age = Math.round(s.transactionAgeMs / 100) / 10;
    return `pid ${s.pid} ${s.user} in ${s.database} from ${from} (${s.application || 'no name'}) is ${s.state} in a transaction since ${age} s`;
  });
  const warnings: Reason[] = [];
  const blockers: Refusal[] = [];
  for (const text of texts) {
    if (forceAfterMs === null)
      blockers.push(block('long-transaction', `${text}. End it, or \`--force-after SECONDS\` ends it`));
    else warnings.push({ code: 'long-transaction', text: `${text}; it is ended after ${forceAfterMs / 1_000} s` });
  }
  if (spec.poolers.mode === 'session' && spec.applications.length > 0) {
    const text = 'poolers are in session mode: each connected client holds up the drain until it leaves';
    if (forceAfterMs === null) blockers.push(block('session-pooling', `${text}. \`--force-after SECONDS\` ends them`));
    else warnings.push({ code: 'session-pooling', text });
  }
  return { blockers, warnings };
}

function describeClient(spec: Spec, address: string | null): string {
  if (address === null) return 'the local socket';
  const node = spec.nodes.find((other) => other.address === address);
  return node === undefined ? address : `${address} (${node.name})`;
}

function frozenStandbys(situation: Situation, target: NodeName | null): readonly Reason[] {
  const { postgres } = situation.view;
  if (postgres.state !== 'primary') return [];
  return postgres.peers
    .filter((peer) => peer.name !== target && (peer.replyAgeMs ?? 0) > frozenAfterMs)
    .map((peer) => ({
      code: 'standby-frozen',
      text: `${peer.name} has not replied for ${Math.round((peer.replyAgeMs ?? 0) / 1_000)} s: its connection is ended if it holds up the stop`,
    }));
}
