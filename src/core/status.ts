/**
 * What `status` shows: a summary of one agent's view, the verdict first. Pure, so that every agent and every test
 * draws the same conclusions.
 */
import type {
  ClusterView,
  MemberPostgres,
  MemberStatus,
  PendingRestart,
  PoolerReport,
  ReadOnlyOrder,
} from './cluster-view.ts';
import type { DurabilitySpec } from './declared-durability.ts';
import { type Forecast, forecast, type Reach } from './forecast.ts';
import { handsOffLeftMs } from './hands-off.ts';
import { bytesBehind, type Lsn, parseLsn } from './lsn.ts';
import type { Operation } from './operation.ts';
import { type NodeName, type NodeRole, type NodeSpec, nodesOfRole, type Spec, slotName } from './spec.ts';

export interface SlotStatus {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string;
  /** WAL it holds back on the primary, in bytes. */
  readonly heldBytes: number | null;
}

export interface NodeStatus {
  readonly node: NodeName;
  readonly role: NodeRole;
  readonly address: string;
  readonly datacenter: string | null;
  readonly priority: number;
  readonly failover: 'allowed' | 'never';
  /** Did its status counter change lately, as this agent saw it? */
  readonly reachable: 'yes' | 'no' | 'unknown';
  readonly postgres: MemberPostgres | null;
  /** While its agent is not heard `postgres` is of the past: the state it was last seen in. Absent from older agents. */
  readonly lastSeenAs?: MemberPostgres['state'] | null | undefined;
  readonly serverVersion: string | null;
  readonly lagBytes: number | null;
  readonly lagS: number | null;
  readonly slot: SlotStatus | null;
  readonly pendingRestart: readonly PendingRestart[];
  readonly specRevision: number | null;
  readonly unconverged: readonly string[];
  readonly agentVersion: string | null;
  readonly trouble: string | null;
}

export interface PoolerStatus {
  readonly node: NodeName;
  readonly reachable: 'yes' | 'no' | 'unknown';
  readonly report: PoolerReport | null;
}

/** What is declared, and what elections rest on now. */
export interface DurabilityStatus {
  readonly commit: DurabilitySpec['commit'];
  readonly declaredK: number;
  /** A replicated commit waits for `k` of these. */
  readonly k: number;
  readonly standbys: readonly NodeName[];
  /** Fewer than declared, since too few are there. */
  readonly degraded: boolean;
}

export type Verdict = 'HEALTHY' | 'DEGRADED' | 'DOWN' | 'STARTING';

/** The automation is inert for so long; see core/hands-off.ts. */
export interface HandsOffStatus {
  readonly by: string;
  readonly at: string;
  readonly leftMs: number;
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly verdict: Verdict;
  /** Why it is not HEALTHY, most important first. */
  readonly because: readonly string[];
  /** Which agent's view this is. */
  readonly from: NodeName;
  readonly term: number | null;
  readonly timeline: number | null;
  readonly primary: NodeName | null;
  readonly specRevision: number | null;
  readonly storeAgeMs: number | null;
  readonly nodes: readonly NodeStatus[];
  readonly poolers: readonly PoolerStatus[];
  readonly operation: Operation | null;
  /** `null`: hands are on. */
  readonly handsOff: HandsOffStatus | null;
  /** While nobody may write by an order. */
  readonly readOnly: ReadOnlyOrder | null;
  readonly lastReceipt: string | null;
  /** Absent from an agent of an older version, like what follows. */
  readonly durability?: DurabilityStatus | null | undefined;
  readonly ifPrimaryDied?: Forecast | null | undefined;
  /** The present term began with a loss that somebody accepted. */
  readonly acceptedLoss?: AcceptedLossStatus | null | undefined;
}

/** At least `lacksBytes` are gone; what else was committed after `afterLsn` nobody knows. */
export interface AcceptedLossStatus {
  readonly by: string;
  readonly lacksBytes: number;
  readonly afterLsn: string;
}

/**
 * An agent that has not been heard for this long counts as unreachable, in ms. It speaks every 2 s. Without an answer of
 * the store for as long nobody could be heard through it.
 */
const silentAfterMs = 6_000;

/**
 * `heardMs`: how long ago each member's counter was last seen to change, in ms; members that are not in it are unknown.
 * Never judges by a clock of another host. `handsOffSinceMs`: since when this agent has seen that record.
 */
export function summarise(
  view: ClusterView,
  heardMs: ReadonlyMap<NodeName, number>,
  handsOffSinceMs: number = view.nowMs,
): ClusterStatus {
  const { store } = view;
  const spec = store.spec?.value.spec ?? null;
  const lease = store.lease?.value ?? null;
  const primary = lease?.state === 'held' ? lease.holder : null;
  const nodes = spec === null ? [] : spec.nodes.map((node) => nodeStatus(view, node, primary, heardMs));
  const poolers = spec === null ? [] : poolerStatuses(view, spec);
  const because = spec === null ? ['there is no spec in the store yet'] : shortcomings(view, nodes, poolers, primary);
  const holder = nodes.find((node) => node.node === primary) ?? null;
  const postgres = holder?.postgres ?? null;
  return {
    cluster: spec?.cluster ?? '',
    verdict: verdictOf(view, because, holder),
    because,
    from: view.self,
    term: lease?.term ?? null,
    timeline: postgres !== null && 'timeline' in postgres ? postgres.timeline : null,
    primary,
    specRevision: store.spec?.value.revision ?? null,
    storeAgeMs: store.confirmedAtMs === null ? null : Math.max(0, Math.round(view.nowMs - store.confirmedAtMs)),
    nodes,
    poolers,
    operation: store.operation?.value ?? null,
    readOnly: store.readOnly?.value ?? null,
    handsOff: handsOffStatus(view, handsOffSinceMs),
    lastReceipt: null,
    durability: durabilityOf(view),
    ifPrimaryDied: forecast(view, reachOf(view, heardMs)),
    acceptedLoss: acceptedLossOf(view),
  };
}

/** How this agent hears the members. */
export function reachOf(view: ClusterView, heardMs: ReadonlyMap<NodeName, number>): Reach {
  return (node) => memberReach(view, node, heardMs.get(node));
}

function durabilityOf({ store }: ClusterView): DurabilityStatus | null {
  const spec = store.spec?.value.spec;
  const record = store.durability?.value;
  if (spec === undefined || record === undefined) return null;
  const { commit, k: declaredK } = spec.durability;
  const isDegraded = record.degraded === true && record.k < declaredK;
  return { commit, declaredK, k: record.k, standbys: record.standbys, degraded: isDegraded };
}

function acceptedLossOf({ store }: ClusterView): AcceptedLossStatus | null {
  const timeline = store.timelines.get(store.lease?.value.term ?? 0)?.value;
  if (timeline?.acceptedLoss === undefined) return null;
  return { ...timeline.acceptedLoss, afterLsn: timeline.forkLsn };
}

function handsOffStatus({ store, nowMs }: ClusterView, sinceMs: number): HandsOffStatus | null {
  if (store.handsOff === null) return null;
  const { by, at } = store.handsOff.value;
  return { by, at, leftMs: Math.round(handsOffLeftMs(store.handsOff.value, sinceMs, nowMs)) };
}

function nodeStatus(
  view: ClusterView,
  node: NodeSpec,
  primary: NodeName | null,
  heardMs: ReadonlyMap<NodeName, number>,
): NodeStatus {
  const member = view.store.members.get(node.name)?.value ?? null;
  const heard = heardMs.get(node.name);
  const postgres = member?.postgres ?? null;
  const reachable = node.role === 'app' ? poolerReach(view, node.name) : memberReach(view, node.name, heard);
  return {
    node: node.name,
    role: node.role,
    address: node.address,
    datacenter: node.datacenter,
    priority: node.priority,
    failover: node.failover,
    reachable,
    postgres,
    lastSeenAs: reachable === 'yes' ? null : (postgres?.state ?? null),
    serverVersion: member?.serverVersion ?? null,
    lagBytes: lagBytes(view, node.name, member, primary),
    lagS: postgres?.state === 'standby' ? postgres.lagS : null,
    slot: slotOf(view, node.name),
    pendingRestart: member?.pendingRestart ?? [],
    specRevision: member?.specRevision ?? null,
    unconverged: member?.unconverged ?? [],
    agentVersion: member?.agentVersion ?? null,
    trouble: member?.trouble ?? null,
  };
}

function reach(heardMs: number | undefined): 'yes' | 'no' | 'unknown' {
  if (heardMs === undefined) return 'unknown';
  return heardMs <= silentAfterMs ? 'yes' : 'no';
}

/** Members are heard through the store: while that is silent, their silence says nothing. */
function memberReach(view: ClusterView, node: NodeName, heardMs: number | undefined): 'yes' | 'no' | 'unknown' {
  if (node === view.self) return 'yes';
  const reached = reach(heardMs);
  return reached === 'no' && isStoreSilent(view) ? 'unknown' : reached;
}

function isStoreSilent({ nowMs, store }: ClusterView): boolean {
  return store.confirmedAtMs === null || nowMs - store.confirmedAtMs > silentAfterMs;
}

/**
 * A pooler speaks to the holder of the lease every second or two, to the others only when its state changes: only the
 * holder may take silence for absence.
 */
function poolerReach(view: ClusterView, node: NodeName): 'yes' | 'no' | 'unknown' {
  const heard = view.reports.get(node);
  if (heard === undefined) return 'unknown';
  const reached = reach(view.nowMs - heard.atMs);
  return reached === 'no' && !isHolder(view) ? 'unknown' : reached;
}

function isHolder({ self, store }: ClusterView): boolean {
  const lease = store.lease?.value;
  return lease?.state === 'held' && lease.holder === self;
}

/** What was heard lately counts; otherwise the holder keeps a fresher report in the store than an old one of our own. */
function latestReport(view: ClusterView, node: NodeName): PoolerReport | null {
  const own = view.reports.get(node);
  const stored = view.store.poolers.get(node)?.value ?? null;
  if (own === undefined) return stored;
  return isHolder(view) || stored === null || reach(view.nowMs - own.atMs) === 'yes' ? own.report : stored;
}

function lagBytes(
  view: ClusterView,
  node: NodeName,
  member: MemberStatus | null,
  primary: NodeName | null,
): number | null {
  if (member?.postgres.state !== 'standby') return null;
  const ahead = primaryPosition(view, primary);
  // The primary's own walsender knows better than a status that is up to 2 s old.
  const peer = view.postgres.state === 'primary' ? view.postgres.peers.find((other) => other.name === node) : undefined;
  const replayed = peer?.replayLsn ?? parseLsn(member.postgres.replayedLsn);
  return ahead === undefined || replayed === undefined ? null : bytesBehind(ahead, replayed);
}

function primaryPosition(view: ClusterView, primary: NodeName | null): Lsn | undefined {
  if (view.postgres.state === 'primary') return view.postgres.insertLsn;
  const member = primary === null ? undefined : view.store.members.get(primary)?.value;
  return member?.postgres.state === 'primary' ? parseLsn(member.postgres.lsn) : undefined;
}

function slotOf(view: ClusterView, node: NodeName): SlotStatus | null {
  if (view.postgres.state !== 'primary') return null;
  const { insertLsn, slots } = view.postgres;
  const slot = slots.find((other) => other.name === slotName(node));
  if (slot === undefined) return null;
  const heldBytes = slot.restartLsn === null ? null : bytesBehind(insertLsn, slot.restartLsn);
  return { name: slot.name, active: slot.active, walStatus: slot.walStatus, heldBytes };
}

function poolerStatuses(view: ClusterView, spec: Spec): readonly PoolerStatus[] {
  return nodesOfRole(spec, 'app').map((node) => ({
    node: node.name,
    reachable: poolerReach(view, node.name),
    report: latestReport(view, node.name),
  }));
}

function shortcomings(
  view: ClusterView,
  nodes: readonly NodeStatus[],
  poolers: readonly PoolerStatus[],
  primary: NodeName | null,
): readonly string[] {
  const holder = nodes.find((node) => node.node === primary) ?? null;
  const others = nodes.filter((node) => node.role === 'database' && node.node !== primary);
  const { unreadable } = view.store;
  const present = [
    operationShortcoming(view),
    view.store.readOnly === null ? null : 'read-only by an order: nobody may write',
    view.store.handsOff === null ? null : 'hands are off: nothing heals by itself',
    isStoreSilent(view) ? storeShortcoming(view) : null,
    primaryShortcoming(primary, holder),
    durabilityShortcoming(view, others, primary),
    ...others.map((node) => standbyShortcoming(node, primary)),
    ...nodes.map((node) => (node.trouble === null ? null : `${node.node}: ${node.trouble}`)),
    ...poolers.map((pooler) => poolerShortcoming(pooler, isHolder(view))),
    unreadable.length === 0 ? null : `values in the store can't be read: ${unreadable.join(', ')}`,
  ];
  return present.filter((text) => text !== null);
}

function operationShortcoming({ store }: ClusterView): string | null {
  const operation = store.operation?.value;
  if (operation === undefined || operation.phase === 'finished' || operation.phase === 'undone') return null;
  return `switchover ${operation.id} from ${operation.from} to ${operation.to} is under way: ${operation.phase}`;
}

function storeShortcoming({ nowMs, self, store }: ClusterView): string {
  if (store.confirmedAtMs === null) return `${self} has not reached the store yet`;
  return `${self} has not reached the store for ${Math.round((nowMs - store.confirmedAtMs) / 1_000)} s`;
}

function primaryShortcoming(primary: NodeName | null, holder: NodeStatus | null): string | null {
  if (primary === null) return 'nobody holds the lease';
  if (holder === null) return `${primary} holds the lease, and the spec does not name it`;
  if (holder.postgres?.state !== 'primary') return `${primary} holds the lease but is not writable yet`;
  return holder.reachable === 'no' ? `the agent of the primary ${primary} is silent` : null;
}

function durabilityShortcoming(
  view: ClusterView,
  others: readonly NodeStatus[],
  primary: NodeName | null,
): string | null {
  const durability = durabilityOf(view);
  if (durability === null || primary === null) return null;
  const { k, declaredK, standbys, degraded } = durability;
  if (degraded) {
    const rest = k === 0 ? 'nobody' : `${k} of ${standbys.join(', ')}`;
    return `too few standbys are there: replicated commits wait for ${rest} instead of ${declaredK}`;
  }
  const streaming = others.filter((node) => standbys.includes(node.node) && isStreaming(view, node, primary));
  // One that was elected as a member of the set counts there until others have taken its place, and never for its own commits.
  if (streaming.length >= k) return null;
  const awaited = standbys.filter((node) => node !== primary);
  const present = awaited.length === 0 ? 'nobody streams' : `${streaming.length} of ${awaited.join(', ')} stream`;
  return `replicated commits wait: ${present}, ${k} must`;
}

/** By the primary's word where there is one: a standby whose host is gone can't take its own back. */
function isStreaming({ self, postgres, store }: ClusterView, standby: NodeStatus, primary: NodeName): boolean {
  if (standby.postgres?.state !== 'standby' || standby.postgres.streamingFrom !== primary) return false;
  if (postgres.state === 'primary' && self === primary) {
    return postgres.peers.some(({ name, state }) => name === standby.node && state === 'streaming');
  }
  const said = store.members.get(primary)?.value.postgres;
  const flushed = said?.state === 'primary' ? said.flushed : undefined;
  return flushed === undefined || standby.node in flushed;
}

function standbyShortcoming(node: NodeStatus, primary: NodeName | null): string | null {
  if (node.reachable === 'no') return `the agent of ${node.node} is silent`;
  if (node.reachable === 'unknown') return `the agent of ${node.node} is not known yet`;
  if (node.postgres?.state !== 'standby') return `${node.node} is ${node.postgres?.state ?? 'unknown'}`;
  if (node.postgres.streamingFrom === null) return `${node.node} is not streaming`;
  if (node.postgres.streamingFrom !== primary) return `${node.node} is not streaming from ${primary ?? 'a primary'}`;
  return node.slot?.walStatus === 'lost' ? `the slot of ${node.node} is lost` : null;
}

/**
 * A silent pooler's last report says nothing of now. The holder must have heard each pooler itself, since a switchover
 * is refused without it; to the others the store's report is good enough.
 */
function poolerShortcoming({ node, reachable, report }: PoolerStatus, isHolders: boolean): string | null {
  if (report === null) return `the pooler on ${node} has not reported yet`;
  if (reachable === 'no') return `the agent of pooler ${node} is silent`;
  if (reachable === 'unknown' && isHolders) return `the pooler on ${node} has not reported to the primary's agent yet`;
  if (report.trouble !== null) return `pooler ${node}: ${report.trouble}`;
  return report.state === 'open' ? null : `the pooler on ${node} is ${report.state}`;
}

function verdictOf(view: ClusterView, because: readonly string[], holder: NodeStatus | null): Verdict {
  if (because.length === 0) return 'HEALTHY';
  const isWritable = holder?.postgres?.state === 'primary' && holder.reachable !== 'no';
  // Nobody is writable for a moment of a switchover, which ends by itself.
  if (isWritable || operationShortcoming(view) !== null) return 'DEGRADED';
  return view.store.cluster === null || view.store.spec === null ? 'STARTING' : 'DOWN';
}
