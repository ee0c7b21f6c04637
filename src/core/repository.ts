/**
 * What a repository holds: backups, and the WAL between and after them; and how far back one can look by it.
 *
 * LSNs are formatted (`0/3000028`), WAL segments are named as PostgreSQL names their files, times are ISO 8601.
 */

export type BackupKind = 'full' | 'differential' | 'incremental';

export interface RepositoryBackup {
  /** As the repository names it, such as `20261115-023001F` or `20261115-023001F_20261116-023001D`. */
  readonly label: string;
  readonly kind: BackupKind;
  /** The backup that it builds upon; `null`: it is whole. */
  readonly prior: string | null;
  readonly startedAt: string;
  /** From then on it can be recovered to. */
  readonly finishedAt: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  /** The first and the last segment that it needs to become consistent. */
  readonly firstWal: string;
  readonly lastWal: string;
  /** Of the data directory. */
  readonly databaseBytes: number;
  /** What it takes in the repository by itself. */
  readonly repositoryBytes: number;
  /** Pages of it failed their checksums. */
  readonly hasDamage: boolean;
}

/** A stretch of archived WAL, as far as the repository tells. */
export interface ArchivedRange {
  readonly first: string;
  readonly last: string;
}

export type RepositoryState =
  | 'ok'
  /** Nothing was ever archived there for this cluster. */
  | 'empty'
  /** It is of another cluster, or encrypted with another passphrase. */
  | 'foreign'
  | 'unreachable';

export interface RepositoryContents {
  readonly state: RepositoryState;
  /** What is wrong, in one line; `null` with `ok` and `empty`. */
  readonly trouble: string | null;
  /** Oldest first; those under way are not among them. */
  readonly backups: readonly RepositoryBackup[];
  readonly archived: ArchivedRange | null;
}
