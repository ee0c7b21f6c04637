/** What people ask of the backups, and what they order. */
import type { BackupRun, BackupWork, RepositoryRecord } from '../../core/backup-run.ts';
import type { NextTimes } from '../../core/backups/due.ts';
import type { RecoverableWindow } from '../../core/backups/window.ts';
import type { BackupsSpec } from '../../core/backups-spec.ts';
import type { RepositoryCredentials } from '../../core/repository-secret.ts';
import type { NodeName } from '../../core/spec.ts';
import type { TwoWay } from '../../ports/repository.ts';

export interface BackupStanding {
  /** `null`: none are. */
  readonly declared: BackupsSpec | null;
  /** Has the secret of the repository been given? */
  readonly hasSecret: boolean;
  /** `null`: the primary's agent has not looked yet. */
  readonly repository: RepositoryRecord | null;
  /** How far back one can look; `null`: not known. */
  readonly window: RecoverableWindow | null;
  /** When the schedule comes round; `null`: nothing is declared. */
  readonly next: NextTimes | null;
  /** The work that is under way, or was the last. */
  readonly run: BackupRun | null;
  /** The last of each kind that ended. */
  readonly ended: readonly BackupRun[];
  /** Why this node can't reach the repository, in one line. */
  readonly trouble: string | null;
  /** What backups wait for, and by which commands it ends, in one line. Absent from older agents. */
  readonly waitsFor?: string | null | undefined;
}

export interface BackupOrderRequest {
  readonly work: BackupWork;
  /** Of a backup and of a proof: who does it; left out: whoever is fit, standbys first. */
  readonly node?: NodeName | undefined;
  /** Of a proof alone: ISO 8601; left out: any moment that can be recovered to. */
  readonly moment?: string | undefined;
}

export interface RepositorySecretRequest {
  readonly credentials: RepositoryCredentials;
  /** `null`: the one that is in use stays. */
  readonly passphrase: string | null;
  /** The passphrase takes the place of another one. */
  readonly replaces: boolean;
}

/** What a standby is let have for its backup. */
export interface BackupPassage {
  /** Such as `B-0007`. */
  readonly run: string;
  /** Of the primary's server. */
  readonly dataDirectory: string;
  /** Called once: it takes the connection over, and settles when that has ended. */
  join(connection: TwoWay): Promise<void>;
}

export interface BackupAnswers {
  /** `seen`: the stamp of the run that the caller knows (core/backup-run.ts): it waits a second for another one. */
  standing(seen: string | null, signal: AbortSignal): Promise<BackupStanding>;
  /** Any database node's agent writes the order. Throws REFUSED, CONFLICT, STORE_UNREACHABLE. */
  order(request: BackupOrderRequest, by: string): Promise<BackupRun>;
  /** Any database node's agent says so to the one that does it. Throws REFUSED where it is not under way, CONFLICT, STORE_UNREACHABLE. */
  cancel(request: { readonly run: string }, by: string): Promise<BackupRun>;
  /** By the primary's agent, for the node whose backup is running; `version`: of pgBackRest there. Throws REFUSED. */
  passage(by: NodeName, version: string): Promise<BackupPassage>;
  giveSecret(request: RepositorySecretRequest, by: string): Promise<{ readonly sealedTo: readonly NodeName[] }>;
}
