/**
 * What is declared of backups: where they go, when they are made, and how long they are kept.
 *
 * Invariant: no secret stands here. The passphrase and the credentials of the repository reach the database nodes sealed
 * (core/repository-secret.ts).
 */
import { unreachable } from './exhausted-union.ts';

export const sftpPort = 22;

/** Where the repository lies. Paths and prefixes begin with a slash. */
export type RepositoryPlace =
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string;
      /** Host name, or address; never with a scheme. */
      readonly endpoint: string;
      readonly port: number;
      /** `path`: the bucket stands in the path; `host`: before the endpoint's name. */
      readonly addressing: 'path' | 'host';
      /** The CA of the endpoint's certificate, a path on every database node; `null`: the system's. */
      readonly caFile: string | null;
    }
  | {
      readonly kind: 'azure';
      readonly container: string;
      readonly prefix: string;
      readonly account: string;
      readonly endpoint: string;
      readonly caFile: string | null;
    }
  | {
      readonly kind: 'gcs';
      readonly bucket: string;
      readonly prefix: string;
      readonly endpoint: string;
      readonly caFile: string | null;
    }
  | {
      readonly kind: 'sftp';
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly path: string;
      /** SHA-256 of the host's key, in hexadecimal. */
      readonly hostKeySha256: string;
    }
  /** The same on every database node, such as a mounted file system. */
  | { readonly kind: 'directory'; readonly path: string };

export type BackupCompression = 'zst' | 'lz4' | 'gz' | 'none';

export interface BackupsSpec {
  readonly to: RepositoryPlace;
  /** Cron expressions of five fields; `null`: never by itself. */
  readonly full: string | null;
  readonly differential: string | null;
  /** When a moment of the past is restored to prove that it can be. */
  readonly proof: string | null;
  /** `standby`: of one that is fit, if there is one. */
  readonly from: 'standby' | 'primary';
  /** Of all three, as in the IANA database. */
  readonly timeZone: string;
  /** Full backups older than this go, in days, as soon as a younger one reaches back as far; with what hangs on them. */
  readonly keepDays: number;
  readonly compression: BackupCompression;
  /** How many files are copied at once. */
  readonly processes: number;
}

export const defaultBackups: Omit<BackupsSpec, 'to'> = {
  // After midnight's jobs: a full one on Sunday, which does for that day's differential one.
  full: '30 2 * * 0',
  differential: '30 2 * * *',
  proof: '30 5 * * 0',
  from: 'standby',
  timeZone: 'UTC',
  keepDays: 35,
  compression: 'zst',
  processes: 2,
};

/** As it is declared under `to`: it names the repository, and says nothing of how it is reached. */
export function repositoryUrl(to: RepositoryPlace): string {
  switch (to.kind) {
    case 's3':
    case 'gcs':
      return `${to.kind}://${to.bucket}${withoutRoot(to.prefix)}`;
    case 'azure':
      return `azure://${to.container}${withoutRoot(to.prefix)}`;
    case 'sftp': {
      const port = to.port === sftpPort ? '' : `:${to.port}`;
      return `sftp://${to.user}@${inUrl(to.host)}${port}${to.path}`;
    }
    case 'directory':
      return to.path;
    default:
      return unreachable(to);
  }
}

/** An IPv6 address stands in brackets. */
export function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function withoutRoot(prefix: string): string {
  return prefix === '/' ? '' : prefix;
}
