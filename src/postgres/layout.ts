/**
 * Where everything of one PostgreSQL server lies, and the names that this product gives to roles and files.
 *
 * The data directory must not be a mount point itself: a clone is built beside it and put in place by a rename.
 */
import { join } from 'node:path';
import { superuser } from '../core/rules/local-access.ts';

export interface Directories {
  /** PostgreSQL's data directory. */
  readonly data: string;
  /** Unix sockets; short, since a socket's path may have 107 bytes at most. */
  readonly run: string;
  readonly log: string;
  /** Journals that survive the agent. */
  readonly state: string;
}

/** Files of the node's identity; absolute paths. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export { superuser };

export const replicationRole = 'understudy_replication';
/** Reads the files of the new primary for a rewind; may do nothing else. */
export const rewindRole = 'understudy_rewind';
/** What our own sessions call themselves. */
export const sessionName = 'understudy';
/** Slots with this beginning are made and dropped by this product; all others are left alone. */
export const slotPrefix = 'understudy_';

export const settingsFile = 'understudy.conf';
export const upstreamFile = 'understudy-upstream.conf';

export interface Layout extends Directories {
  /** A new data directory under construction. */
  readonly incoming: string;
  readonly journal: string;
  readonly serverLog: string;
  readonly postmasterFile: string;
  readonly controlFile: string;
  readonly standbySignal: string;
  readonly backupLabel: string;
  /** The WAL itself. */
  readonly wal: string;
  /** Which of it waits to be archived. */
  readonly archiveStatus: string;
  /** While it is there nothing is archived; gone with the host's memory. */
  readonly archiveHold: string;
  /** A name for an old data directory that is set aside. */
  kept(number: number): string;
  /** The same for one that holds what no other node has; it is not removed when the new one is healthy. */
  diverged(number: number): string;
}

/** Named in the server's settings, too. */
export function archiveHoldIn(run: string): string {
  return join(run, 'archive-hold');
}

export function layoutOf(directories: Directories): Layout {
  const { data, log, run, state } = directories;
  return {
    ...directories,
    incoming: `${data}.incoming`,
    journal: join(state, 'postgres-journal.json'),
    serverLog: join(log, 'postgresql.log'),
    postmasterFile: join(data, 'postmaster.pid'),
    controlFile: join(data, 'global', 'pg_control'),
    standbySignal: join(data, 'standby.signal'),
    backupLabel: join(data, 'backup_label'),
    wal: join(data, 'pg_wal'),
    archiveStatus: join(data, 'pg_wal', 'archive_status'),
    archiveHold: archiveHoldIn(run),
    kept: (number) => `${data}.kept-${number}`,
    diverged: (number) => `${data}.diverged-${number}`,
  };
}
