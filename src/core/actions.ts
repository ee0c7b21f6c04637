/**
 * Everything that a database node's agent can be told to do. `agent/execute.ts` has one case for each.
 *
 * Actions of one decision are performed in order; when one fails, the rest is dropped and the loop looks again.
 */
import type { MemberStatus, SlotTarget, Stored } from './cluster-view.ts';
import type { Lease, Renewal } from './lease.ts';
import type { Operation, PhaseTiming, UndoReason } from './operation.ts';
import type { Receipt } from './receipt.ts';
import type { NodeName, Spec } from './spec.ts';

/** Wait for open transactions of direct clients before the stop, or end them; the job fails when they outlast it. */
export interface DirectDrain {
  readonly withinMs: number;
  /** End what is still open after this many ms; `null`: never. */
  readonly endAfterMs: number | null;
}

/** How an operation ended without moving the primary; written with its receipt. */
export interface UndoneOperation {
  readonly reason: UndoReason;
  readonly detail: string;
  readonly receipt: Receipt;
}

interface Because {
  readonly because: readonly string[];
}

export type Action = Because &
  (
    | { readonly do: 'renew-lease'; readonly lease: Stored<Lease>; readonly renewal: Stored<Renewal> }
    /** Term 1, only while there is neither a lease nor a cluster. */
    | { readonly do: 'take-first-lease'; readonly ttlMs: number }
    /** After a release to this node by name. */
    | {
        readonly do: 'take-released-lease';
        readonly lease: Stored<Lease>;
        readonly ttlMs: number;
        readonly undo: (UndoneOperation & { readonly operation: Stored<Operation> }) | null;
      }
    /** One transaction: the operation at this very revision, the lease's term and holder as seen. */
    | {
        readonly do: 'take-handover';
        readonly operation: Stored<Operation>;
        readonly lease: Stored<Lease>;
        readonly ttlMs: number;
      }
    /** Only after PostgreSQL is proven gone. */
    | { readonly do: 'release-lease'; readonly lease: Stored<Lease>; readonly to: NodeName }
    | {
        readonly do: 'record-cluster';
        readonly systemIdentifier: string;
        readonly postgresMajor: number;
        readonly lease: Stored<Lease>;
      }
    | {
        readonly do: 'publish-stopped';
        readonly operation: Stored<Operation>;
        readonly lease: Stored<Lease>;
        readonly shutdownLsn: string;
        readonly timeline: number;
        readonly timings: readonly PhaseTiming[];
      }
    | ({
        readonly do: 'undo-operation';
        readonly operation: Stored<Operation>;
        readonly lease: Stored<Lease>;
      } & UndoneOperation)
    | {
        readonly do: 'finish-operation';
        readonly operation: Stored<Operation>;
        readonly lease: Stored<Lease>;
        readonly receipt: Receipt;
      }
    | { readonly do: 'end-blockers'; readonly pids: readonly number[] }
    // jobs
    | { readonly do: 'initialise' }
    | { readonly do: 'clone'; readonly from: NodeName; readonly systemIdentifier: string }
    | { readonly do: 'start'; readonly as: 'primary' }
    | { readonly do: 'start'; readonly as: 'standby'; readonly from: NodeName }
    | { readonly do: 'restart-standby'; readonly from: NodeName }
    | {
        readonly do: 'stop';
        readonly awaitStandby: NodeName | null;
        readonly patienceMs: number;
        readonly drain: DirectDrain | null;
      }
    | { readonly do: 'promote'; readonly withinMs: number }
    // short acts
    | { readonly do: 'follow'; readonly from: NodeName }
    | { readonly do: 'configure'; readonly spec: Spec; readonly specRevision: number }
    | { readonly do: 'apply-slots'; readonly targets: readonly SlotTarget[] }
    | { readonly do: 'apply-databases'; readonly spec: Spec; readonly specRevision: number }
    | { readonly do: 'discard-kept' }
    /** Removes what a node that left the spec has in the store. */
    | { readonly do: 'forget-node'; readonly node: NodeName; readonly role: 'member' | 'pooler' }
    | { readonly do: 'publish-status'; readonly status: MemberStatus; readonly key: string }
  );
