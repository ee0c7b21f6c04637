/**
 * What is wrong with a cluster, in words for people, and the verdict on it.
 *
 * Invariant: a cluster is HEALTHY exactly when nothing is found here. Refuses to find out: what each node and pooler is
 * was settled before (status-summary.ts), and whether it is heard in reach.ts.
 */
import type { ClusterView } from './cluster-view.ts';
import { isStoreSilent } from './reach.ts';
import { isHolder } from './situation.ts';
import type { NodeName } from './spec.ts';
import type { ClusterStatus, DurabilityStatus, NodeStatus, PoolerStatus, Verdict } from './status.ts';

/** A delayed standby may be so much further behind than declared, in ms. */
const catchUpGraceMs = 60_000;

/** Most important first; empty when all is well. */
export function shortcomings(
  view: ClusterView,
  { nodes, poolers, primary, durability }: Pick<ClusterStatus, 'nodes' | 'poolers' | 'primary' | 'durability'>,
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
    durabilityShortcoming(view, durability ?? null, others, primary),
    ...others.map((node) => standbyShortcoming(node, primary)),
    ...nodes.filter(({ role }) => role === 'witness').map(witnessShortcoming),
    ...nodes.map((node) => revokedShortcoming(view, node)),
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
  durability: DurabilityStatus | null,
  others: readonly NodeStatus[],
  primary: NodeName | null,
): string | null {
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
  if (isCatchingUp(node)) return null;
  if (node.postgres.streamingFrom === null) return `${node.node} is not streaming`;
  if (node.postgres.streamingFrom !== primary) return `${node.node} is not streaming from ${primary ?? 'a primary'}`;
  return node.slot?.walStatus === 'lost' ? `the slot of ${node.node} is lost` : null;
}

/**
 * PostgreSQL asks for more WAL only when it has replayed what is on its disk: after a restart, and under another primary, a
 * delayed standby streams nothing until then. Further behind than its delay it should be streaming.
 */
function isCatchingUp({ postgres, applyDelayMs, lagS }: NodeStatus): boolean {
  if (postgres?.state !== 'standby' || applyDelayMs === null || applyDelayMs === undefined) return false;
  return postgres.streamingFrom === null && (lagS === null || lagS * 1_000 <= applyDelayMs + catchUpGraceMs);
}

/** Its member of the store is likely as silent: the store may not bear the loss of another host. */
function witnessShortcoming({ node, reachable }: NodeStatus): string | null {
  if (reachable === 'no') return `the witness ${node} is silent`;
  return reachable === 'unknown' ? `the agent of ${node} is not known yet` : null;
}

/** Whatever else it does, the first renewal, restart or new connection ends it. */
function revokedShortcoming({ store }: ClusterView, { node, role }: NodeStatus): string | null {
  if (!store.shutOut.has(node)) return null;
  const rest = role === 'database' ? ': it must not be primary, until it enrols anew' : ': it has to enrol anew';
  return `the certificate of ${node} was revoked${rest}`;
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

export function verdictOf(view: ClusterView, because: readonly string[], holder: NodeStatus | null): Verdict {
  if (because.length === 0) return 'HEALTHY';
  const isWritable = holder?.postgres?.state === 'primary' && holder.reachable !== 'no';
  // Nobody is writable for a moment of a switchover, which ends by itself.
  if (isWritable || operationShortcoming(view) !== null) return 'DEGRADED';
  return view.store.cluster === null || view.store.spec === null ? 'STARTING' : 'DOWN';
}
