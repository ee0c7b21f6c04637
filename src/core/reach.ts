/**
 * Whom this agent hears: members by the counters that it sees change in the store, poolers by what they send to it.
 *
 * Invariant: silence counts only where speech would have been heard. While the store does not answer, and to an agent that
 * poolers need not report to, it means that nothing is known. Never judges by a clock of another host. Refuses to act on
 * it: what follows from a silent node is for the rules.
 */
import type { ClusterView } from './cluster-view.ts';
import type { DatabaseMemory } from './memory.ts';
import type { PoolerReport } from './pooler-report.ts';
import { isHolder, memberSilentAfterMs } from './situation.ts';
import type { NodeName } from './spec.ts';

export type Reachable = 'yes' | 'no' | 'unknown';

export type Reach = (node: NodeName) => Reachable;

/** How long ago each member's counter was last seen to change, in ms; left out while there was no time yet to see that. */
export function lastHeardMs({ nowMs }: ClusterView, { memberSeen }: DatabaseMemory): ReadonlyMap<NodeName, number> {
  const ages = [...memberSeen].map(([node, { atMs, moved }]) => ({ node, moved, ms: nowMs - atMs }));
  return new Map(ages.flatMap(({ node, moved, ms }) => (moved || ms > memberSilentAfterMs ? [[node, ms]] : [])));
}

/** How this agent hears the members. `heardMs`: see `lastHeardMs`; members that are not in it are unknown. */
export function reachOf(view: ClusterView, heardMs: ReadonlyMap<NodeName, number>): Reach {
  return (node) => memberReach(view, node, heardMs.get(node));
}

/** An agent speaks every 2 s, and a pooler's no less often to whom it reports. */
function reach(heardMs: number | undefined): Reachable {
  if (heardMs === undefined) return 'unknown';
  return heardMs <= memberSilentAfterMs ? 'yes' : 'no';
}

/** Members are heard through the store: while that is silent, their silence says nothing. */
function memberReach(view: ClusterView, node: NodeName, heardMs: number | undefined): Reachable {
  if (node === view.self) return 'yes';
  const reached = reach(heardMs);
  return reached === 'no' && isStoreSilent(view) ? 'unknown' : reached;
}

/** Without an answer of the store for as long nobody could be heard through it. */
export function isStoreSilent({ nowMs, store }: ClusterView): boolean {
  return store.confirmedAtMs === null || nowMs - store.confirmedAtMs > memberSilentAfterMs;
}

/**
 * A pooler speaks to the holder of the lease every second or two, to the others only when its state changes: only the
 * holder may take silence for absence.
 */
export function poolerReach(view: ClusterView, node: NodeName): Reachable {
  const heard = view.reports.get(node);
  if (heard === undefined) return 'unknown';
  const reached = reach(view.nowMs - heard.atMs);
  return reached === 'no' && !isHolder(view) ? 'unknown' : reached;
}

/** What was heard lately counts; otherwise the holder keeps a fresher report in the store than an old one of our own. */
export function latestReport(view: ClusterView, node: NodeName): PoolerReport | null {
  const own = view.reports.get(node);
  const stored = view.store.poolers.get(node)?.value ?? null;
  if (own === undefined) return stored;
  return isHolder(view) || stored === null || reach(view.nowMs - own.atMs) === 'yes' ? own.report : stored;
}
