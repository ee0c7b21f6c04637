/**
 * Did this node lose its lease while it lived? Its agent runs, it gave nothing away, and somebody else was elected: such a
 * failover would not have been needed had the store answered in time, or the agent been let run.
 *
 * Says nothing of a holder that ended: whoever starts anew has no memory of a lease, and its loss was no mistake.
 */
import type { ClusterView } from '../cluster-view.ts';
import type { NodeName } from '../spec.ts';

export interface LostLease {
  readonly term: number;
  readonly to: NodeName;
}

/** From one look to the next; `null`: it was not lost, or given up in order. */
export function lostLease(before: ClusterView, now: ClusterView): LostLease | null {
  const held = before.store.lease?.value;
  const lease = now.store.lease?.value;
  if (held?.state !== 'held' || held.holder !== now.self) return null;
  if (lease?.state !== 'held' || lease.holder === now.self || lease.term <= held.term) return null;
  const operation = now.store.operation?.value;
  const isPlanned = operation !== undefined && operation.from === now.self && operation.term >= held.term;
  return isPlanned && operation.phase !== 'undone' ? null : { term: held.term, to: lease.holder };
}
