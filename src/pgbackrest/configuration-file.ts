/**
 * pgbackrest.conf, and the key files that it names, as a whole.
 *
 * Invariant: everything that is secret stands in these files, which only the server's user may read. Nothing drops WAL
 * (`archive-push-queue-max`), nothing expires by itself, and TLS is always verified.
 */
import type { RepositoryPlace } from '../core/backups-spec.ts';
import type { RepositoryCredentials } from '../core/repository-secret.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import type { RepositoryPaths } from './paths.ts';
import { isAtLeast, type ProgramVersion } from './program.ts';

export interface LocalServer {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly port: number;
}

/** By path. */
export type RepositoryFiles = Readonly<Record<string, string>>;

type Lines = Readonly<Record<string, string | number | undefined>>;

/** How long the archiver waits for a segment before PostgreSQL tries again, in s. */
const archiveTimeoutS = 60;

function place(to: RepositoryPlace, paths: RepositoryPaths): Lines {
  switch (to.kind) {
    case 's3':
      return {
        'repo1-type': 's3',
        'repo1-path': to.prefix,
        'repo1-s3-bucket': to.bucket,
        'repo1-s3-region': to.region,
        'repo1-s3-endpoint': to.endpoint,
        'repo1-s3-uri-style': to.addressing,
        'repo1-storage-port': to.port,
        'repo1-storage-ca-file': to.caFile ?? undefined,
      };
    case 'azure':
      return {
        'repo1-type': 'azure',
        'repo1-path': to.prefix,
        'repo1-azure-container': to.container,
        'repo1-azure-account': to.account,
        'repo1-azure-endpoint': to.endpoint,
        'repo1-storage-ca-file': to.caFile ?? undefined,
      };
    case 'gcs':
      return {
        'repo1-type': 'gcs',
        'repo1-path': to.prefix,
        'repo1-gcs-bucket': to.bucket,
        'repo1-gcs-endpoint': to.endpoint,
        'repo1-gcs-key-type': 'service',
        'repo1-gcs-key': paths.gcsKey,
        'repo1-storage-ca-file': to.caFile ?? undefined,
      };
    case 'sftp':
      return {
        'repo1-type': 'sftp',
        'repo1-path': to.path,
        'repo1-sftp-host': to.host,
        'repo1-sftp-host-port': to.port,
        'repo1-sftp-host-user': to.user,
        'repo1-sftp-host-key-hash-type': 'sha256',
        'repo1-sftp-host-key-check-type': 'fingerprint',
        'repo1-sftp-host-fingerprint': to.hostKeySha256,
        'repo1-sftp-private-key-file': paths.sftpKey,
      };
    case 'directory':
      return { 'repo1-type': 'posix', 'repo1-path': to.path };
    default:
      return to satisfies never;
  }
}

function credentialLines(credentials: RepositoryCredentials): Lines {
  switch (credentials.kind) {
    case 's3':
      return {
        'repo1-s3-key': credentials.key,
        'repo1-s3-key-secret': credentials.keySecret,
        'repo1-s3-token': credentials.token,
      };
    case 'azure':
      return { 'repo1-azure-key': credentials.key, 'repo1-azure-key-type': credentials.keyType };
    case 'gcs':
    case 'sftp':
    case 'none':
      return {};
    default:
      return credentials satisfies never;
  }
}

function section(name: string, lines: Lines): string {
  const text = Object.entries(lines).flatMap(([key, value]) => {
    if (value === undefined) return [];
    // A line break would begin another option.
    if (/[\r\n\0]/.test(String(value))) throw new UnderstudyError('CONFIG_INVALID', `${key} has a line break`);
    return [`${key}=${value}\n`];
  });
  return `[${name}]\n${text.join('')}`;
}

function requireFit(to: RepositoryPlace, credentials: RepositoryCredentials, version: ProgramVersion): void {
  const wanted = to.kind === 'directory' ? 'none' : to.kind;
  if (credentials.kind !== wanted) {
    const of = credentials.kind === 'none' ? 'no credentials are given' : `the credentials are for ${credentials.kind}`;
    throw new UnderstudyError('CONFIG_INVALID', `the repository is of kind ${to.kind}, and ${of}`);
  }
  if (to.kind === 'sftp' && !isAtLeast(version, 2, 46)) {
    throw new UnderstudyError(
      'REPOSITORY_BINARIES_MISSING',
      `pgBackRest ${version.text} knows no SFTP: 2.46 is needed`,
      { hint: 'install pgBackRest 2.46 or later (Debian 13 has 2.55), or declare another place' },
    );
  }
}

/** Throws CONFIG_INVALID, REPOSITORY_BINARIES_MISSING. */
export function repositoryFiles(
  { backups, secret }: RepositoryConfiguration,
  server: LocalServer,
  stanza: string,
  paths: RepositoryPaths,
  version: ProgramVersion,
): RepositoryFiles {
  const { credentials, passphrase } = secret;
  requireFit(backups.to, credentials, version);
  const global = section('global', {
    ...place(backups.to, paths),
    ...credentialLines(credentials),
    'repo1-cipher-type': 'aes-256-cbc',
    'repo1-cipher-pass': passphrase,
    'repo1-bundle': 'y',
    'repo1-retention-full-type': 'time',
    'repo1-retention-full': backups.keepDays,
    'expire-auto': 'n',
    'start-fast': 'y',
    'archive-async': 'y',
    'archive-timeout': archiveTimeoutS,
    'compress-type': backups.compression,
    'process-max': backups.processes,
    'lock-path': paths.locks,
    'spool-path': paths.spool,
    'log-path': paths.log,
    'log-level-file': 'off',
    'log-level-console': 'off',
    'log-level-stderr': 'warn',
  });
  // One segment at a time is what recovery asks for, and what was fetched ahead would lie in the spool of the archiver.
  const get = section('global:archive-get', { 'archive-async': 'n' });
  const own = section(stanza, {
    'pg1-path': server.dataDirectory,
    'pg1-socket-path': server.socketDirectory,
    'pg1-port': server.port,
  });
  const head = '# Written by understudy, and written over: change the declaration instead.\n';
  return {
    [paths.configuration]: `${head}${global}\n${get}\n${own}`,
    ...(credentials.kind === 'gcs' ? { [paths.gcsKey]: credentials.serviceKey } : {}),
    ...(credentials.kind === 'sftp' ? { [paths.sftpKey]: credentials.privateKey } : {}),
  };
}
