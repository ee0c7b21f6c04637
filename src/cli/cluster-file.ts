/** Reads the cluster file that a verb was given: a mistake in it needs no cluster. */
import { resolve } from 'node:path';
import { formatIssues, loadClusterFile } from '../config/load.ts';
import type { Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';

export interface ReadClusterFile {
  readonly spec: Spec;
  /** Of the repository of backups; a path on this machine. */
  readonly credentialsFile: string | null;
}

/** Prints what is doubtful. Throws CONFIG_UNREADABLE; CONFIG_INVALID with every mistake and its place. */
export function readClusterFile({ io, terminal }: Call, file: string): ReadClusterFile {
  const loaded = loadClusterFile(resolve(io.cwd, file));
  if (!loaded.ok) {
    if (loaded.unreadable !== undefined) throw new UnderstudyError('CONFIG_UNREADABLE', loaded.unreadable);
    throw new UnderstudyError('CONFIG_INVALID', formatIssues(loaded.issues).join('\n'));
  }
  for (const line of formatIssues(loaded.warnings)) terminal.note(line);
  return { spec: loaded.spec, credentialsFile: loaded.credentialsFile };
}
