/**
 * What was seen of the PostgreSQL server on this node: its role and positions, who streams from it, what is in its directory.
 *
 * Unknown is not false: what could not be read in time is `unknown` or `null`, and a directory that is not understood is
 * `foreign`, which nobody touches. It says nothing of what the server should be: that is for the rules.
 */
import type { SyncSet } from './durability.ts';
import type { Lsn } from './lsn.ts';
import type { NodeName } from './spec.ts';

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

/** A session that shares this advisory lock only reads, and nobody waits for its transactions: a stop of the server ends them. */
export const dispensableMark = { classId: 1_970_169_971, objectId: 1 };

export interface PendingRestart {
  readonly name: string;
  readonly current: string;
  readonly wanted: string;
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
  /** Sessions of roles that may not log in any more, and in databases that are no longer declared. */
  readonly retiredSessions: number;
}

/** By the server's own statistics, which a crash resets. */
export interface ArchiverFacts {
  /** A server begins to archive when it is started (`archive_mode`); `null`: not known yet. */
  readonly isOn: boolean | null;
  /** Where the WAL of the server's timeline ends that it archived last; `null`: none of it since the statistics began. */
  readonly archivedTo: Lsn | null;
  /** Its last attempt failed, at that segment and time (ISO 8601); `null`: it did not. */
  readonly failing: { readonly segment: string; readonly at: string } | null;
  /** Files that wait to be archived. */
  readonly waiting: number;
  /** Of a file of the WAL; `null`: not known yet. */
  readonly segmentBytes: number | null;
}

export const idleArchiver: ArchiverFacts = {
  isOn: null,
  archivedTo: null,
  failing: null,
  waiting: 0,
  segmentBytes: null,
};

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
      readonly archiver: ArchiverFacts;
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
      /** It fetches WAL from the archive when nobody streams to it. */
      readonly readsArchive: boolean;
    });
