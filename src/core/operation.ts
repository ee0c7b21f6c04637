/**
 * The planned move of the primary that is under way, as it stands in the store.
 *
 *   pausing ──► stopped ──► handed-over ──► finished
 *      │           │
 *      └───────────┴──► undone
 *
 * | phase       | owner      | ends when                                                    | undo |
 * | pausing     | old holder | poolers drained, PostgreSQL stopped and proven gone          | write `undone`, start or stay primary |
 * | stopped     | target     | replayed past the shutdown location, took the lease (one transaction with this record) | old holder writes `undone`, then starts |
 * | handed-over | new holder | writable, poolers resumed, receipt written                   | release the lease to the old primary by name |
 *
 * Invariant: PostgreSQL of the old holder starts again only after its compare-and-set to `undone` succeeded, and the
 * target's transaction compares the revision of `stopped`; so one of the two fails (model D).
 */
import type { Lease } from './lease.ts';
import type { NodeName } from './spec.ts';

export interface PhaseTiming {
  readonly phase: 'preflight' | 'checkpoint' | 'pause' | 'stop' | 'handover' | 'promote' | 'resume';
  readonly ms: number;
}

export interface OperationPlan {
  readonly id: string;
  readonly kind: 'switchover';
  readonly from: NodeName;
  readonly to: NodeName;
  /** The term in which it began. */
  readonly term: number;
  /** Poolers that must confirm the pause. */
  readonly poolers: readonly NodeName[];
  /** Poolers that the operator left out. */
  readonly without: readonly NodeName[];
  /** End the sessions that still block the drain after this many ms; `null`: never. */
  readonly forceAfterMs: number | null;
  /** A wait at the start of each phase, so that a rehearsal can be watched; 0 in normal use. */
  readonly paceMs: number;
  readonly drainTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly promoteTimeoutMs: number;
  /** Wall clock of the agent that began it, for people only; no decision rests on it. */
  readonly startedAt: string;
  readonly requestedBy: string;
}

export type OperationPhase =
  | { readonly phase: 'pausing' }
  | { readonly phase: 'stopped'; readonly shutdownLsn: string; readonly timeline: number }
  | { readonly phase: 'handed-over'; readonly shutdownLsn: string; readonly timeline: number }
  | { readonly phase: 'finished'; readonly receipt: string }
  | { readonly phase: 'undone'; readonly reason: UndoReason; readonly detail: string };

export type UndoReason =
  | 'drain-timeout'
  | 'stop-timeout'
  | 'handover-timeout'
  | 'target-lost'
  | 'promote-timeout'
  | 'agent-restarted'
  | 'cancelled'
  | 'primary-failed'
  | 'lease-lost';

export type Operation = OperationPlan & OperationPhase & { readonly timings: readonly PhaseTiming[] };

/** While an operation is active, its poolers stay paused and its old primary stays stopped once it is. */
export function isActive(operation: Operation): boolean {
  return operation.phase === 'pausing' || operation.phase === 'stopped';
}

/**
 * Does it still move the primary? One whose lease has moved on without it, after a failover in its middle, does not; the
 * new holder undoes it.
 */
export function isUnderWay(operation: Operation, lease: Lease | null): boolean {
  if (lease === null) return false;
  if (isActive(operation)) return lease.term === operation.term;
  return operation.phase === 'handed-over' && lease.term === operation.term + 1;
}

/** How long a pooler may stay paused for this operation, in ms: all of its phases at their worst, and a second for the network. */
export function pauseLimitMs(
  plan: Pick<OperationPlan, 'drainTimeoutMs' | 'stopTimeoutMs' | 'promoteTimeoutMs' | 'paceMs'>,
): number {
  return plan.drainTimeoutMs + plan.stopTimeoutMs + 2 * plan.promoteTimeoutMs + 6 * plan.paceMs + 1_000;
}
