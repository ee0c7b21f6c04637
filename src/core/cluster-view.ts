/**
 * What an agent knows at one instant: the frozen input of every decision.
 *
 * Unknown is not false: what was not read stays `unknown` or carries the age of its last reading, and the rules say
 * what each of these permits. All times are the local boottime in ms.
 */
import type { AcceptedLoss } from './accepted-loss.ts';
import type { Ballot } from './ballot.ts';
import type { DurabilityRecord, SyncSet } from './durability.ts';
import type { HandsOff } from './hands-off.ts';
import type { Lease, Renewal } from './lease.ts';
import type { Lsn } from './lsn.ts';
import type { Operation } from './operation.ts';
import type { PoolerReport } from './pooler-report.ts';
import type { PromiseRecord } from './promise.ts';
import type { NodeName, Spec } from './spec.ts';
import type { TimelineRecord } from './timelines.ts';
import type { SeenProbe } from './write-probe.ts';

/** A value of the store with the revision to compare when it is replaced. */
export interface Stored<T> {
  readonly value: T;
  readonly revision: number;
}

export interface ClusterRecord {
  readonly systemIdentifier: string;
  readonly postgresMajor: number;
}

export interface SpecRecord {
  /** Counts applies, from 1. */
  readonly revision: number;
  readonly spec: Spec;
  readonly appliedAt: string;
  readonly appliedBy: string;
}

/** While it stands nobody may write through a pooler; it is removed when it is over. */
export interface ReadOnlyOrder {
  readonly by: string;
  readonly at: string;
  readonly reason: string | null;
}

export interface PendingRestart {
  readonly name: string;
  readonly current: string;
  readonly wanted: string;
}

export type MemberPostgres =
  | { readonly state: 'absent' | 'stopped' | 'starting' | 'stopping' | 'unknown' | 'foreign' }
  | { readonly state: 'cloning' | 'rewinding'; readonly bytesDone: number; readonly bytesTotal: number | null }
  | {
      readonly state: 'primary';
      readonly timeline: number;
      readonly lsn: string;
      /** How far each standby that streams has flushed, at the same instant. */
      readonly flushed?: Readonly<Record<NodeName, string>> | undefined;
    }
  | {
      readonly state: 'standby';
      readonly timeline: number;
      readonly receivedLsn: string | null;
      readonly replayedLsn: string;
      readonly streamingFrom: NodeName | null;
      /** Seconds since the last replayed commit while something waits for replay; 0 when caught up. */
      readonly lagS: number | null;
    };

/** What a database node says of itself in the store; its liveness is judged by seeing `counter` change. */
export interface MemberStatus {
  readonly node: NodeName;
  readonly counter: number;
  /** The highest term this agent has seen. */
  readonly term: number;
  /** It acknowledges nothing to holders of lower terms than this; 0: to anybody. */
  readonly cutTerm: number;
  readonly postgres: MemberPostgres;
  readonly serverVersion: string | null;
  readonly specRevision: number;
  /** Empty when the node is as the spec wants it. */
  readonly unconverged: readonly string[];
  readonly pendingRestart: readonly PendingRestart[];
  /** Current values of what a standby must have at least as large as its primary (documentation 27.4.3). */
  readonly standbyMinimums: Readonly<Record<string, number>>;
  readonly diskFreeBytes: number | null;
  /** The kernel's name for its boot; absent: of an older version. */
  readonly bootId?: string | undefined;
  /** Why it could not stand for election now; `null`: it could, or is no standby. */
  readonly unfit?: string | null | undefined;
  readonly agentVersion: string;
  /** Why it is not doing what it should, in one line; `null` when all is well. */
  readonly trouble: string | null;
}

export interface StoreView {
  /** Everything here was read at this boottime or later changed by a watch. `null`: never read. */
  readonly readAtMs: number | null;
  /** The last linearizable contact: a read or an answered transaction. */
  readonly confirmedAtMs: number | null;
  /** When this agent saw lease or renewal change last, at this boottime or before; nobody need have looked then. */
  readonly leaseSeenAtMs: number | null;
  readonly spec: Stored<SpecRecord> | null;
  readonly cluster: Stored<ClusterRecord> | null;
  readonly lease: Stored<Lease> | null;
  readonly renewal: Stored<Renewal> | null;
  readonly operation: Stored<Operation> | null;
  readonly durability: Stored<DurabilityRecord> | null;
  readonly handsOff: Stored<HandsOff> | null;
  readonly readOnly: Stored<ReadOnlyOrder> | null;
  readonly acceptedLoss: Stored<AcceptedLoss> | null;
  /** By term and node. */
  readonly ballots: ReadonlyMap<string, Stored<Ballot>>;
  /** By term. */
  readonly timelines: ReadonlyMap<number, Stored<TimelineRecord>>;
  readonly members: ReadonlyMap<NodeName, Stored<MemberStatus>>;
  readonly poolers: ReadonlyMap<NodeName, Stored<PoolerReport>>;
  /** Values that did not pass their schema: their keys. They count as unknown. */
  readonly unreadable: readonly string[];
}

export interface ReplicationPeer {
  /** The node's name (application_name). */
  readonly name: string;
  readonly pid: number;
  readonly state: string;
  readonly sentLsn: Lsn | null;
  readonly flushLsn: Lsn | null;
  readonly replayLsn: Lsn | null;
  readonly replyAgeMs: number | null;
}

export interface SlotState {
  readonly name: string;
  readonly active: boolean;
  readonly restartLsn: Lsn | null;
  /** `lost`: the WAL budget was exceeded, its standby must be cloned again. */
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost' | 'unknown';
}

export interface SlotTarget {
  readonly name: string;
  /** Move the slot forward to here when nobody streams from it; `null`: leave it. */
  readonly advanceTo: Lsn | null;
}

export interface PostgresSession {
  readonly pid: number;
  readonly user: string;
  readonly database: string;
  readonly application: string;
  readonly clientAddress: string | null;
  readonly state: string;
  readonly transactionAgeMs: number;
}

export interface ServerFacts {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly serverVersion: string;
  readonly major: number;
  readonly slots: readonly SlotState[];
  readonly peers: readonly ReplicationPeer[];
  readonly pendingRestart: readonly PendingRestart[];
  readonly standbyMinimums: Readonly<Record<string, number>>;
}

export type LocalPostgres =
  /** Could not be determined within the time given. `pid` when a postmaster is there but does not answer. */
  | { readonly state: 'unknown'; readonly because: string; readonly pid: number | null }
  | { readonly state: 'missing-binaries'; readonly because: string }
  /** The directory does not exist or is empty. */
  | { readonly state: 'absent' }
  /** There is something in the data directory that is no PostgreSQL cluster, or not one of the wanted major. Never touched. */
  | { readonly state: 'foreign'; readonly because: string }
  /** An unfinished clone or initialisation of this product; may be removed and begun again. */
  | { readonly state: 'unfinished' }
  | {
      readonly state: 'stopped';
      readonly systemIdentifier: string;
      readonly timeline: number;
      readonly checkpointLsn: Lsn;
      /** Was it shut down cleanly, and in which role did it run last? */
      readonly shutdown: 'clean' | 'crashed';
      readonly lastRole: 'primary' | 'standby';
    }
  | { readonly state: 'starting' | 'stopping'; readonly pid: number }
  /** The postmaster is gone, and processes of it are left that may still acknowledge commits. */
  | { readonly state: 'orphaned'; readonly pid: number }
  | (ServerFacts & {
      readonly state: 'primary';
      readonly pid: number;
      readonly insertLsn: Lsn;
      /** Where its timeline left its parent; `null`: it is the first. */
      readonly fork: { readonly parent: number; readonly lsn: Lsn } | null;
      /** `synchronous_standby_names` as a session sees it; `null`: not of the form that this product writes. */
      readonly syncSet: SyncSet | null;
    })
  | (ServerFacts & {
      readonly state: 'standby';
      readonly pid: number;
      readonly receivedLsn: Lsn | null;
      readonly replayedLsn: Lsn;
      /** The end of valid WAL on disk; `null` while that is not known (PROTOCOLS, "Position"). */
      readonly walEnd: Lsn | null;
      readonly replayPaused: boolean;
      readonly lagS: number | null;
      /** The host primary_conninfo names, by node; `null` when it has none of ours. */
      readonly upstream: NodeName | null;
      readonly receiver: 'streaming' | 'connecting' | 'none';
      /** The server's log says that the WAL it needs is no longer there, or its timeline has forked. */
      readonly cannotStream: 'wal-removed' | 'diverged' | null;
    });

export type JobKind =
  | 'cut'
  | 'hear'
  | 'discard'
  | 'initialise'
  | 'clone'
  | 'rescue'
  | 'rewind'
  | 'start'
  | 'stop'
  | 'promote'
  | 'databases'
  | 'restart';

export interface JobView {
  readonly kind: JobKind;
  readonly startedAtMs: number;
  readonly progress: { readonly bytesDone: number; readonly bytesTotal: number | null } | null;
}

export interface FinishedJob {
  readonly kind: JobKind;
  readonly outcome: 'done' | 'failed';
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly error: string | null;
}

export interface ClusterView {
  readonly self: NodeName;
  readonly nowMs: number;
  readonly store: StoreView;
  readonly postgres: LocalPostgres;
  /** What this node has durably bound itself to. */
  readonly promise: PromiseRecord;
  /** The kernel's name for this boot: boottimes of another one mean nothing here. */
  readonly bootId: string;
  /** The one long job under way; jobs never overlap. */
  readonly job: JobView | null;
  readonly lastJobs: ReadonlyMap<JobKind, FinishedJob>;
  /** Latest reports that poolers sent to this agent directly, with the boottime of their arrival. */
  readonly reports: ReadonlyMap<NodeName, { readonly report: PoolerReport; readonly atMs: number }>;
  /** What people asked this agent to do. */
  readonly requests: Requests;
  readonly diskFreeBytes: number | null;
  /** The last attempt to log in and write, while this server is primary. */
  readonly probe: SeenProbe | null;
  readonly agentVersion: string;
}

export interface Requests {
  /** The operation that this process began. After a restart it is `null`, and an active operation is undone. */
  readonly driving: string | null;
  readonly cancelOperation: string | null;
  readonly reinit: boolean;
  readonly restart: boolean;
}
