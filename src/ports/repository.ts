/**
 * What the agent asks of the repository of backups, and of the program that fills it (pgBackRest 2.45 and later).
 *
 * Acts are bounded by `withinMs` and cancelled by `signal`; what was started for one has ended when it settles, and ends with this
 * process, too. Everything that writes to the repository (`createStanza`, `backup`, `expire`) is for one node at a time: the
 * program's locks are those of one host.
 */
import type { PathPart } from '../core/backups/timeline-path.ts';
import type { BackupsSpec } from '../core/backups-spec.ts';
import type { ArchivedRange, RepositoryBackup, RepositoryContents } from '../core/repository.ts';
import type { RepositorySecret } from '../core/repository-secret.ts';
import type { ActOptions } from './postgres.ts';

export interface RepositoryProgram {
  readonly path: string;
  /** Such as `2.45`. */
  readonly version: string;
}

export interface RepositoryConfiguration {
  readonly backups: BackupsSpec;
  readonly secret: RepositorySecret;
}

/** Values of postgresql.conf. They name no place and no secret, and are the same whatever the repository's configuration says. */
export interface ArchiveCommands {
  /** `archive_command` */
  readonly archive: string;
  /** `restore_command` of this node's own data directory. */
  readonly restore: string;
}

export type RepositoryBackupKind = 'full' | 'differential';

export interface TransferProgress {
  readonly bytesDone: number;
  /** `null`: not known yet. */
  readonly bytesTotal: number | null;
}

export interface Verification {
  readonly isSound: boolean;
  /** A line each of what is wrong with which backup or archive. */
  readonly findings: readonly string[];
}

/** Up to where WAL is replayed. */
export type RestoreTarget =
  /** `time`: ISO 8601 with its zone; transactions that were committed later are left out. */
  | { readonly type: 'time'; readonly value: string }
  | { readonly type: 'lsn'; readonly value: string }
  | { readonly type: 'xid'; readonly value: string }
  | { readonly type: 'name'; readonly value: string }
  /** As soon as the backup is consistent. */
  | { readonly type: 'immediate' }
  /** The end of the archive. */
  | { readonly type: 'default' }
  /** None: a standby, which fetches from the archive and streams from its upstream. */
  | { readonly type: 'standby' };

export interface RestoreRequest {
  /**
   * The backup's label. It is older than the target: with a younger one the target would be passed over. The program does not
   * check that.
   */
  readonly set: string;
  readonly target: RestoreTarget;
  /** The data directory to be; everything that it links to and every tablespace comes to lie in it. */
  readonly into: string;
  /** Keeps what is equal there already, and removes everything else; otherwise it has to be empty or missing. */
  readonly delta: boolean;
  /** At the target; of `immediate`, `default` and `standby` it says nothing. */
  readonly action: 'pause' | 'promote' | 'shutdown';
  /** Whether the server that it becomes archives its WAL. */
  readonly archives: boolean;
  /** `latest`, `current` (the backup's) or a number. */
  readonly timeline: 'latest' | 'current' | number;
  /** How many files at once; the declared number by default. */
  readonly processes?: number;
  /** Behind everything else on the machine, as far as the kernel can. */
  readonly isIdle?: boolean;
}

/** A connection of two ways. */
export interface TwoWay extends NodeJS.ReadWriteStream {
  readonly destroyed: boolean;
  destroy(): unknown;
  once(event: 'close', listener: () => void): this;
  off(event: 'close', listener: () => void): this;
}

/** A connection to the program on the primary (`Repository.serve` there). */
export interface PrimaryEnd {
  readonly connection: TwoWay;
  /** Where that one's data lies, as it says itself. */
  readonly dataDirectory: string;
}

/** Another connection with each call. */
export type DialPrimary = () => Promise<PrimaryEnd>;

export interface BackupOptions extends ActOptions {
  /** This node is a standby, and reaches the primary so; left out: this node is the primary. */
  readonly dialPrimary?: DialPrimary;
}

export interface Repository {
  readonly commands: ArchiveCommands;
  /** The name under which the cluster's backups of this major version lie in the repository. */
  readonly stanza: string;
  /** Of this node's own server. */
  readonly dataDirectory: string;
  /** Throws REPOSITORY_BINARIES_MISSING. */
  program(): Promise<RepositoryProgram>;
  /**
   * Writes the program's files; answers whether anything changed. Until then each other call throws REPOSITORY_UNCONFIGURED, and
   * the archive command fails, so that the WAL is kept. Throws REPOSITORY_BINARIES_MISSING (also for a version that can't reach such
   * a place), REPOSITORY_FILES_FAILED.
   */
  configure(configuration: RepositoryConfiguration): Promise<boolean>;
  /** Takes the files away. */
  forget(): Promise<void>;
  /** Never throws for what the repository is, and says it in `state`. */
  contents(options: ActOptions): Promise<RepositoryContents>;
  /**
   * What WAL is there, by timeline, each stretch without a gap. May be asked every minute: what was listed before is listed again only
   * where it can have changed, and all of it once an hour. What takes too long for that is gone on with the next time: TIMEOUT until all
   * of it was listed. Else throws as `createStanza` does.
   */
  archivedRanges(segmentBytes: number, options: ActOptions): Promise<readonly ArchivedRange[]>;
  /**
   * The way to the newest timeline of which a history was archived, as that says it; empty: there is none, and all WAL is of the first.
   * Numbers may be missing below it. Throws as `createStanza` does.
   */
  newestPath(options: ActOptions): Promise<readonly PathPart[]>;
  /** When a segment was put there, ISO 8601; `null`: it is not there, or nobody knows. Throws as `createStanza` does. */
  archivedAt(segment: string, options: ActOptions): Promise<string | null>;
  /**
   * Does nothing where there are backups of this cluster already; else the server runs, since its identity is asked of it. Throws
   * REPOSITORY_FOREIGN when what lies there is another cluster's, REPOSITORY_PASSPHRASE, REPOSITORY_BUSY, REPOSITORY_UNREACHABLE: also where
   * nothing is there although it `hadAny` (core/backups/emptied.ts).
   */
  createStanza(options: ActOptions & { readonly hadAny?: boolean }): Promise<void>;
  /**
   * Copies this node's data directory, and waits for the WAL that it needs to be archived. Of a standby most is copied here, and the rest
   * is fetched from the primary, whose server is told of the beginning and of the end. Throws REPOSITORY_BUSY, REPOSITORY_FOREIGN, REPOSITORY_PASSPHRASE,
   * REPOSITORY_UNREACHABLE, ARCHIVE_STALLED, BACKUP_FAILED, TIMEOUT.
   */
  backup(
    kind: RepositoryBackupKind,
    onProgress: (progress: TransferProgress) => void,
    options: BackupOptions,
  ): Promise<RepositoryBackup>;
  /**
   * The program's end on the primary, for a backup that a standby makes: it reads this node's files, and speaks to its server. Settles
   * with the connection, or ends it. Throws BACKUP_FAILED with what the program said when it failed.
   */
  serve(connection: TwoWay, options: ActOptions): Promise<void>;
  /** Removes what has outlived the declared time; answers which backups are gone, by label. Throws as `backup` does. */
  expire(options: ActOptions): Promise<readonly string[]>;
  /** Reads everything there and compares it with its checksums. Throws as `backup` does. */
  verify(onProgress: (progress: TransferProgress) => void, options: ActOptions): Promise<Verification>;
  /** `restore_command` of a data directory that is not the node's own, such as a copy of one that was restored. */
  restoreCommand(into: string): string;
  /**
   * Leaves a data directory that recovers to the target when it is started. Throws RESTORE_FAILED, REPOSITORY_UNREACHABLE,
   * REPOSITORY_PASSPHRASE, REPOSITORY_BUSY, DISK_FULL, TIMEOUT; what was written by then is left where it is.
   */
  restore(
    request: RestoreRequest,
    onProgress: (progress: TransferProgress) => void,
    options: ActOptions,
  ): Promise<void>;
}
