/**
 * Everything that a database node's agent can be told to do. `agent/execute.ts` has one case for each.
 *
 * Actions of one decision are performed in order; when one fails, the rest is dropped and the loop looks again.
 */
import type { AcceptedLoss } from './accepted-loss.ts';
import type { Ballot } from './ballot.ts';
import type { MemberStatus, Stored } from './cluster-view.ts';
import type { Stretch } from './divergence.ts';
import type { DurabilityRecord, SyncSet } from './durability.ts';
import type { HandsOff } from './hands-off.ts';
import type { Lease, Renewal, WrittenPosition } from './lease.ts';
import type { SlotTarget } from './local-postgres.ts';
import type { Lsn } from './lsn.ts';
import type { Operation, PhaseTiming, UndoReason } from './operation.ts';
import type { Receipt } from './receipt.ts';
import type { NodeName, Spec } from './spec.ts';
import type { TimelineRecord } from './timelines.ts';

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

/** Whom the renewal written with it names (rules/candidates.ts). */
type Candidates = readonly NodeName[] | undefined;

export type Action = Because &
  (
    | {
        readonly do: 'renew-lease';
        readonly lease: Stored<Lease>;
        readonly renewal: Stored<Renewal>;
        /** How far it had written when this was decided; `null`: it is not writable, or does not know. */
        readonly written: WrittenPosition | null;
        /** The boots in which standbys had received everything last, by node. */
        readonly boots: Readonly<Record<NodeName, string>>;
        readonly candidates: Candidates;
      }
    /** Agent to agent, while the store does not answer. */
    | {
        readonly do: 'ask-promises';
        readonly of: readonly NodeName[];
        readonly term: number;
        readonly round: number;
        readonly ttlMs: number;
      }
    /** Term 1, only while there is neither a lease nor a cluster. */
    | { readonly do: 'take-first-lease'; readonly ttlMs: number; readonly candidates: Candidates }
    /** After a release to this node by name. */
    | {
        readonly do: 'take-released-lease';
        readonly lease: Stored<Lease>;
        readonly ttlMs: number;
        readonly candidates: Candidates;
        readonly undo: (UndoneOperation & { readonly operation: Stored<Operation> }) | null;
      }
    /** A linearizable look that changes nothing: do lease and renewal still stand at these revisions? */
    | {
        readonly do: 'look-at-lease';
        readonly lease: Stored<Lease>;
        readonly renewal: Stored<Renewal>;
        readonly key: string;
      }
    | { readonly do: 'write-ballot'; readonly ballot: Ballot; readonly key: string; readonly lease: Stored<Lease> }
    /** The declaration permits it: lease and renewal are compared, so that it is of a primary that is still silent. */
    | {
        readonly do: 'accept-loss';
        readonly loss: Omit<AcceptedLoss, 'at'>;
        readonly replaces: Stored<AcceptedLoss> | null;
        readonly lease: Stored<Lease>;
        readonly renewal: Stored<Renewal>;
      }
    /** One transaction: lease and renewal as seen, the durability record that was judged by, rewritten unchanged. */
    | {
        readonly do: 'take-lease';
        readonly lease: Stored<Lease>;
        readonly renewal: Stored<Renewal>;
        readonly durability: Stored<DurabilityRecord> | null;
        /** What it could not be elected without, and what it is known to lack; `null`: it needed nobody's consent. */
        readonly accepted: (Stored<AcceptedLoss> & { readonly lacksBytes: number }) | null;
        /** Whose word is too little for `remote_write`: they have booted since. Empty: all that was acknowledged is there. */
        readonly rebooted: readonly NodeName[];
        readonly timeline: TimelineRecord;
        readonly ttlMs: number;
        readonly candidates: Candidates;
      }
    /** A living holder whose members have cut themselves off takes their term, and keeps its timeline. */
    | {
        readonly do: 'take-next-term';
        readonly lease: Stored<Lease & { state: 'held' }>;
        /** A renewal that comes between makes this void, so that it can't land late. */
        readonly renewal: Stored<Renewal>;
        readonly timeline: TimelineRecord;
        readonly candidates: Candidates;
      }
    | { readonly do: 'record-timeline'; readonly timeline: TimelineRecord; readonly lease: Stored<Lease> }
    /** Compares the lease's term and holder, and the record that it replaces. */
    | {
        readonly do: 'write-durability';
        readonly record: DurabilityRecord;
        readonly replaces: Stored<DurabilityRecord> | null;
        readonly lease: Stored<Lease>;
      }
    /** Returns when the set is in effect in every walsender and the checkpointer. */
    | { readonly do: 'set-sync-standbys'; readonly set: SyncSet }
    /** One transaction: the operation at this very revision, the lease's term and holder as seen. */
    | {
        readonly do: 'take-handover';
        readonly operation: Stored<Operation>;
        readonly lease: Stored<Lease>;
        readonly timeline: TimelineRecord;
        readonly ttlMs: number;
        readonly candidates: Candidates;
      }
    /** Only after PostgreSQL is proven gone. One that was never answered is void from the next renewal on. */
    | {
        readonly do: 'release-lease';
        readonly lease: Stored<Lease>;
        readonly renewal: Stored<Renewal>;
        readonly to: NodeName | null;
      }
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
    /** Writes down what is left of the time that people asked for. */
    | { readonly do: 'count-hands-off'; readonly handsOff: Stored<HandsOff>; readonly leftMs: number }
    | { readonly do: 'end-hands-off'; readonly handsOff: Stored<HandsOff> }
    // jobs
    | { readonly do: 'initialise' }
    | {
        readonly do: 'clone';
        readonly from: NodeName;
        readonly systemIdentifier: string;
        /** The old directory has what no other node has: it outlives the clone. */
        readonly diverged: boolean;
      }
    /** Stops the server if it runs, keeps its WAL past the fork, and lists what it had committed alone. */
    | {
        readonly do: 'rescue';
        readonly key: string;
        readonly term: number;
        readonly stretches: readonly Stretch[];
      }
    /** In place; only after a rescue that kept everything. */
    | { readonly do: 'rewind'; readonly from: NodeName; readonly systemIdentifier: string; readonly key: string }
    | { readonly do: 'start'; readonly as: 'primary' }
    /** `from: null`: it follows nobody. `cut`: it binds itself first, as a cut for that term does. */
    | {
        readonly do: 'start';
        readonly as: 'standby';
        readonly from: NodeName | null;
        readonly cut?: number;
      }
    | { readonly do: 'restart-standby'; readonly from: NodeName }
    /** Stops it in order; it is started as any server of the holder that has stopped. */
    | { readonly do: 'restart-primary' }
    | {
        readonly do: 'stop';
        readonly awaitStandby: NodeName | null;
        readonly patienceMs: number;
        readonly drain: DirectDrain | null;
      }
    /** Writes the record, then makes sure that nothing is acknowledged to a holder of a lower term any more. */
    | { readonly do: 'cut'; readonly term: number }
    /** Once for a term, after the cut; what does not come in time is not waited for. */
    | { readonly do: 'hear-last-words'; readonly from: NodeName; readonly term: number }
    /** PostgreSQL is made to choose this timeline. */
    | {
        readonly do: 'promote';
        readonly withinMs: number;
        readonly timeline: number | null;
        /** The server's files name other standbys than the durability record demands: they are written first. */
        readonly configure: boolean;
        /** WAL of former primaries is archived by this one past there (`null`: all of it); `null`: nothing is archived. */
        readonly archives: { readonly after: Lsn | null } | null;
      }
    // short acts
    /** `archive`: it fetches from the archive meanwhile what nobody streams to it any more. */
    | { readonly do: 'follow'; readonly from: NodeName; readonly archive?: true }
    | { readonly do: 'configure'; readonly spec: Spec; readonly specRevision: number; readonly sync: SyncSet }
    | { readonly do: 'apply-slots'; readonly targets: readonly SlotTarget[] }
    /** Of roles that may not log in any more. */
    | { readonly do: 'end-retired-sessions' }
    | { readonly do: 'apply-databases'; readonly spec: Spec; readonly specRevision: number }
    /** Makes, opens and closes logins of applications as rules/credentials.ts plans it. */
    | { readonly do: 'apply-credentials'; readonly spec: Spec; readonly key: string }
    | { readonly do: 'discard-kept' }
    /** Removes what a node that left the spec has in the store. */
    | { readonly do: 'forget-node'; readonly node: NodeName; readonly role: 'member' | 'pooler' }
    | { readonly do: 'publish-status'; readonly status: MemberStatus; readonly key: string }
  );
