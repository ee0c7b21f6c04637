/**
 * What an agent knows at one instant: the frozen input of every decision.
 *
 * Unknown is not false: what was not read stays `unknown` or carries the age of its last reading, and the rules say
 * what each of these permits. All times are the local boottime in ms.
 */
import type { AcceptedLoss } from './accepted-loss.ts';
import type { CloneSource } from './backups/clone-base.ts';
import type { Ballot } from './ballot.ts';
import type { CredentialRecords } from './credential.ts';
import type { DurabilityRecord } from './durability.ts';
import type { HandsOff } from './hands-off.ts';
import type { Lease, Renewal } from './lease.ts';
import type { LocalPostgres, PendingRestart } from './local-postgres.ts';
import type { Operation } from './operation.ts';
import type { PoolerReport } from './pooler-report.ts';
import type { PromiseRecord } from './promise.ts';
import type { SealingRecord } from './sealing-record.ts';
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

/** The archiver tries again and again; nothing is lost while the disk holds it. */
export interface ArchiveTrouble {
  readonly segment: string;
  /** ISO 8601. */
  readonly at: string;
  readonly waiting: number;
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
      /** Where the WAL of its timeline ends that it has archived; absent: nowhere that it knows of. */
      readonly archivedTo?: string | undefined;
      /** What it could not archive when it tried last; absent: nothing. */
      readonly archiveTrouble?: ArchiveTrouble | undefined;
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
  readonly credentials: CredentialRecords;
  /** Whose sealing certificate stands in the store, verified or not, and at which revision. */
  readonly sealing: ReadonlyMap<NodeName, Stored<SealingRecord>>;
  /** Whose certificates were revoked, and who was not set up anew since (revocation.ts). */
  readonly shutOut: ReadonlySet<NodeName>;
  /** Values that did not pass their schema: their keys. They count as unknown. */
  readonly unreadable: readonly string[];
}

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
  | 'credentials'
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
  /** Where the next clone's base is to come from; left out: as it is best. */
  readonly reinitFrom?: CloneSource | undefined;
  readonly restart: boolean;
  /** Of a primary in whose place nobody else may be. */
  readonly restartPrimary: boolean;
}
