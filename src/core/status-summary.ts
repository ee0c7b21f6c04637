/**
 * A summary of one agent's view, the verdict first: what `status` shows. Pure, so that every agent and every test draws the
 * same conclusions.
 */
import type { ClusterView, MemberStatus } from './cluster-view.ts';
import { forecast } from './forecast.ts';
import { handsOffLeftMs } from './hands-off.ts';
import { bytesBehind, type Lsn, parseLsn } from './lsn.ts';
import { latestReport, poolerReach, type Reach, reachOf } from './reach.ts';
import { shortcomings, verdictOf } from './shortcomings.ts';
import { type NodeName, type NodeSpec, nodesOfRole, type Spec, slotName } from './spec.ts';
import type {
  AcceptedLossStatus,
  BackupsStatus,
  ClusterStatus,
  DurabilityStatus,
  HandsOffStatus,
  NodeStatus,
  PoolerStatus,
  SlotStatus,
} from './status.ts';

/**
 * `heardMs`: how long ago each member's counter was last seen to change, in ms; members that are not in it are unknown.
 * `handsOffSinceMs`: since when this agent has seen that record. `backups`: `null`: none are declared.
 */
export function summarise(
  view: ClusterView,
  heardMs: ReadonlyMap<NodeName, number>,
  handsOffSinceMs: number = view.nowMs,
  backups: BackupsStatus | null = null,
): ClusterStatus {
  const { store } = view;
  const spec = store.spec?.value.spec ?? null;
  const lease = store.lease?.value ?? null;
  const primary = lease?.state === 'held' ? lease.holder : null;
  const reach = reachOf(view, heardMs);
  const nodes = spec === null ? [] : spec.nodes.map((node) => nodeStatus(view, node, primary, reach));
  const poolers = spec === null ? [] : poolerStatuses(view, spec);
  const durability = durabilityOf(view);
  const because =
    spec === null
      ? ['there is no spec in the store yet']
      : [...shortcomings(view, { nodes, poolers, primary, durability }), ...(backups?.troubles ?? [])];
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
    durability,
    ifPrimaryDied: forecast(view, reach),
    acceptedLoss: acceptedLossOf(view),
    backups,
  };
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

function nodeStatus(view: ClusterView, node: NodeSpec, primary: NodeName | null, reach: Reach): NodeStatus {
  const member = view.store.members.get(node.name)?.value ?? null;
  const postgres = node.role === 'witness' ? null : (member?.postgres ?? null);
  const reachable = node.role === 'app' ? poolerReach(view, node.name) : reach(node.name);
  return {
    node: node.name,
    role: node.role,
    address: node.address,
    datacenter: node.datacenter,
    priority: node.priority,
    failover: node.failover,
    applyDelayMs: node.applyDelayMs,
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
