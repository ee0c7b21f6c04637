/**
 * Where everything of pgBackRest lies on a node, and the commands that PostgreSQL runs.
 *
 * Invariant: nothing lies where a package would put it (/etc, /var/log/pgbackrest, /var/spool/pgbackrest), and what PostgreSQL runs
 * names neither the repository nor a secret: both stand in the configuration file alone.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ArchiveCommands } from '../ports/repository.ts';

export interface RepositoryPaths {
  /** Of the agent's state; everything below lies in it. */
  readonly directory: string;
  readonly configuration: string;
  readonly gcsKey: string;
  readonly sftpKey: string;
  readonly locks: string;
  /** What the archiver is about to send. */
  readonly spool: string;
  readonly log: string;
}

export function repositoryPaths(stateDirectory: string): RepositoryPaths {
  const directory = join(stateDirectory, 'pgbackrest');
  return {
    directory,
    configuration: join(directory, 'pgbackrest.conf'),
    gcsKey: join(directory, 'gcs.json'),
    sftpKey: join(directory, 'sftp.key'),
    locks: join(directory, 'lock'),
    spool: join(directory, 'spool'),
    log: join(directory, 'log'),
  };
}

/** Of each major version another: a repository keeps no WAL of two under one name. */
export function stanzaName(cluster: string, major: number): string {
  return `${cluster}-${major}`;
}

/** What one restore has for itself: restores into different directories don't wait for each other. */
export function restoreWork(paths: RepositoryPaths, into: string): string {
  return join(paths.locks, `restore-${createHash('sha256').update(into).digest('hex').slice(0, 12)}`);
}

/** For the shell that PostgreSQL starts, which replaces `%p` and `%f` first (PostgreSQL, "archive_command"). */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`;
}

function command(program: string, paths: RepositoryPaths, stanza: string, rest: readonly string[]): string {
  const options = [`--config=${paths.configuration}`, `--stanza=${stanza}`];
  return [quoted(program), ...options.map(quoted), ...rest].join(' ');
}

export function archiveCommands(program: string, paths: RepositoryPaths, stanza: string): ArchiveCommands {
  return {
    archive: command(program, paths, stanza, ['archive-push', '"%p"']),
    restore: command(program, paths, stanza, ['archive-get', '%f', '"%p"']),
  };
}

/**
 * Of a directory that is recovered from the archive alone. To PostgreSQL a file that could not be fetched is one that is not there, where the
 * archive ends and it is promoted, unless the command ends with more than 125 ("restore_command"). pgBackRest says with 1 that a file is not
 * there, and everything else is trouble.
 */
export function restoreCommandOf(program: string, paths: RepositoryPaths, stanza: string, into: string): string {
  const own = [`--pg1-path=${into}`, `--lock-path=${join(restoreWork(paths, into), 'lock')}`].map(quoted);
  const get = command(program, paths, stanza, [...own, 'archive-get', '%f', '"%p"']);
  return `${get} || { [ $? -eq 1 ] && exit 1; exit 126; }`;
}
