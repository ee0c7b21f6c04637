/**
 * What the agent asks of its local PostgreSQL. One adapter serves versions 13 to 18.
 *
 * Observation never hangs: each fact has a bounded time and is `unknown` when it did not come. Acts are bounded by
 * `withinMs` and cancelled by `signal`; they throw `UnderstudyError` when they fail.
 */

import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { Heartbeat } from '../core/backups/heartbeats.ts';
import type { Divergence, Stretch } from '../core/divergence.ts';
import type { KeptWalLimits, Pruning } from '../core/kept-wal.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LocalPostgres, PostgresSession, SlotTarget } from '../core/local-postgres.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Lsn } from '../core/lsn.ts';
import type { LoginFacts } from '../core/rules/credentials.ts';
import type { ServerConfiguration } from '../core/rules/settings.ts';
import type { DatabaseSpec, NodeName } from '../core/spec.ts';
import type { WriteProbe } from '../core/write-probe.ts';
import type { CloneBase } from './clone-bases.ts';

export type { ServerConfiguration };

export interface ActOptions {
  readonly signal?: AbortSignal;
  readonly withinMs: number;
}

export type LookDepth = 'whole' | 'brief';

export interface Upstream {
  readonly node: NodeName;
  /** The name in its certificate. */
  readonly hostName: string;
  readonly address: string;
  readonly port: number;
}

export type StartAs =
  | { readonly role: 'primary' }
  /** `upstream: null`: it follows nobody. */
  | { readonly role: 'standby'; readonly upstream: Upstream | null; readonly slot: string };

export interface CloneProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
}

export interface ShutdownFacts {
  /** Where the shutdown checkpoint record starts. */
  readonly checkpointLsn: Lsn;
  readonly timeline: number;
}

/** What a node had past the fork, and where it is kept. */
export interface Rescued {
  readonly found: Divergence;
  /** `null`: there was nothing past the fork. */
  readonly report: LostReport | null;
  /** `false`: it had been rescued before. */
  readonly isNew: boolean;
  /** WAL of earlier divergences that had to go. */
  readonly removed: Pruning['remove'];
}

/** What went with a database; `kept`: roles that have something in another one. */
export interface Dropped {
  readonly roles: readonly string[];
  readonly kept: readonly string[];
}

export interface Postgres {
  /**
   * Reads processes, files and, when it answers within `withinMs`, the server. Never throws. A `brief` look asks the
   * server for its role and positions alone; slots, peers and settings are those of the last whole look at it.
   */
  observe(withinMs: number, depth?: LookDepth): Promise<LocalPostgres>;
  /** Makes a new cluster in the empty data directory (checksums, UTF-8, SCRAM). Refuses a directory with anything in it. */
  initialise(options: ActOptions): Promise<{ readonly systemIdentifier: string }>;
  /**
   * Copies the upstream's data directory, or fills one from a base. An old directory is kept aside until `discardKept` is called; a directory
   * of another system identifier is refused with DATA_DIRECTORY_FOREIGN.
   */
  clone(
    upstream: Upstream,
    expected: {
      readonly systemIdentifier: string;
      readonly slot: string;
      /** The old directory holds WAL that no other node has, and is kept for people. */
      readonly diverged: boolean;
      /** What the directory is filled from in place of the upstream; left out: that is copied. */
      readonly base?: CloneBase;
    },
    onProgress: (progress: CloneProgress) => void,
    options: ActOptions,
  ): Promise<void>;
  /**
   * Keeps the WAL of a stopped server past the fork and lists the transactions in it (the state directory's `diverged/`).
   * Changes nothing that a rewind or a clone would miss; may be repeated. Throws RESCUE_FAILED and DISK_FULL.
   */
  rescue(
    request: { readonly stretches: readonly Stretch[]; readonly term: number; readonly limits: KeptWalLimits },
    options: ActOptions,
  ): Promise<Rescued>;
  /**
   * Brings the stopped server's data directory to the upstream's history in place. Throws REWIND_FAILED; when it had begun to
   * change the directory, the node is `unfinished` from then on and must be cloned.
   */
  rewind(
    upstream: Upstream,
    expected: { readonly systemIdentifier: string; readonly slot: string },
    onProgress: (progress: CloneProgress) => void,
    options: ActOptions,
  ): Promise<void>;
  /** Of every divergence that this node came back from, oldest first. */
  lostReports(): Promise<readonly LostReport[]>;
  /** Removes the directories that earlier clones kept aside. */
  discardKept(options: ActOptions): Promise<void>;
  /** Writes the files when they differ; reloads a running server. Answers whether anything changed. */
  configure(configuration: ServerConfiguration, options: ActOptions): Promise<boolean>;
  /** The files of its certificate are new: a running server takes them for its next connections. */
  renewCertificate(): Promise<void>;
  /**
   * Ends sessions of these certificates, by serial number, replication too. `listIsNew`: the list that the server judges by
   * has changed, appeared or gone; it is taken up first.
   */
  obeyRevocations(serials: readonly string[], listIsNew: boolean, options: ActOptions): Promise<void>;
  /** Starts, or adopts when it runs already, and returns when connections are accepted in that role. */
  start(as: StartAs, options: ActOptions): Promise<void>;
  /**
   * Points a running standby at another upstream by reload, and at an archive beside it (from 14 on). Answers whether it was pointed
   * elsewhere before.
   */
  follow(
    upstream: Upstream,
    slot: string,
    options: ActOptions & { readonly restoreCommand?: string | null },
  ): Promise<boolean>;
  /**
   * Ends streaming for good: no upstream, no WAL receiver, and none comes back. Restarts the server where a reload
   * does not do it. Nothing is acknowledged to anybody when it returns.
   */
  cutOff(options: ActOptions): Promise<void>;
  /**
   * Returns when the set is in effect in the postmaster, every walsender and the checkpointer, with the insert
   * position read after that.
   */
  setSyncStandbys(configuration: ServerConfiguration, options: ActOptions): Promise<{ readonly mark: Lsn }>;
  /** Returns when the server accepts writes. `timeline`: the one that it must take; `null`: the next. */
  promote(timeline: number | null, options: ActOptions): Promise<void>;
  /**
   * Has the WAL archived that this server received from former primaries, as far as it goes past `after` (`null`: all) and is
   * still here. To be asked for right after a promotion. Answers how many segments.
   */
  archiveReceived(after: Lsn | null): Promise<number>;
  /**
   * Fast stop, then immediate stop after `patienceMs`, then kill; returns only when every process of the data
   * directory and the shared memory is proven gone. A clean stop yields the shutdown checkpoint.
   */
  stop(
    how: {
      readonly patienceMs: number;
      /** Standbys (application_name) that must receive everything; other walsenders are ended when they hold up the stop. */
      readonly awaitStandby: NodeName | null;
    },
    options: ActOptions,
  ): Promise<{ readonly clean: ShutdownFacts | null }>;
  /** A commit whose time is known, on a primary; answers its time and a place in the WAL behind it. */
  heartbeat(options: ActOptions): Promise<Heartbeat>;
  /** A piece of what a server that is down left in its WAL; `null`: it runs, or there is no such place. */
  readWal(request: WalRequest): Promise<WalPiece | null>;
  /** A standby that is cut off takes in what another left; answers how many bytes it went on by. */
  hearWal(ask: (request: WalRequest) => Promise<WalPiece | null>, options: ActOptions): Promise<number>;
  /** Logs in anew and waits for a flushed record. Never fails: what went wrong is the answer. */
  probeWrite(options: ActOptions): Promise<WriteProbe>;
  checkpoint(options: ActOptions): Promise<void>;
  /** Lets the server prepare what the first connection to each of these would wait for (its relation cache files). */
  warm(databases: readonly string[], options: ActOptions): Promise<void>;
  /** Creates missing physical slots, drops those of ours that are not wanted, moves idle ones forward. */
  applySlots(targets: readonly SlotTarget[], options: ActOptions): Promise<void>;
  /**
   * Revokes logins of applications no longer declared, then creates missing roles and databases and grants what is declared.
   * Throws at the end what could not be done.
   */
  applyDatabases(
    databases: readonly DatabaseSpec[],
    applications: readonly ApplicationRole[],
    /** `reverts`: what was changed by hand and is to be as declared again, by name. */
    options: ActOptions & { readonly reverts?: (name: string) => boolean },
  ): Promise<void>;
  /** The login roles of applications, with what the server knows of their passwords. */
  logins(options: ActOptions): Promise<readonly LoginFacts[]>;
  /** Gives a login that verifier and lets it log in. Answers where in the WAL that is. */
  openLogin(role: string, verifier: string, options: ActOptions): Promise<Lsn>;
  /** The standbys that stream and had not replayed up to there within `replayWithinMs`, but those of `except`. */
  lacking(
    mark: Lsn,
    options: ActOptions & { readonly replayWithinMs: number; readonly except?: readonly NodeName[] },
  ): Promise<readonly string[]>;
  /** It has no password any more, may not log in, and its sessions end. */
  closeLogin(role: string, options: ActOptions): Promise<void>;
  /** What differs from the declaration and is left alone. */
  databaseState(
    databases: readonly DatabaseSpec[],
    applications: readonly ApplicationRole[],
    options: ActOptions,
  ): Promise<DatabaseState>;
  /** Drops a database that is no longer declared, with its data. Throws REFUSED, NOT_FOUND. */
  dropDatabase(
    name: string,
    databases: readonly DatabaseSpec[],
    applications: readonly ApplicationRole[],
    options: ActOptions,
  ): Promise<Dropped>;
  /** Client sessions with an open transaction, oldest first. */
  openTransactions(options: ActOptions): Promise<readonly PostgresSession[]>;
  endSessions(pids: readonly number[], options: ActOptions): Promise<void>;
  /** Ends what is left of roles that may not log in any more, and in databases that are no longer declared. */
  endRetiredSessions(options: ActOptions): Promise<void>;
  close(): Promise<void>;
}
