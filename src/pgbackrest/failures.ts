/**
 * What the exit codes of pgBackRest mean (error.yaml of its sources; the same numbers from 2.45 to 2.59).
 *
 * A code tells which call of pgBackRest failed and not always why: a wrong passphrase and a damaged file are the same 29, and a
 * restore says 75 for whatever keeps it from reading the repository. Those are `unclear`: the repository has to be looked at.
 */
import type { ErrorCode } from '../errors/catalogue.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { CommandResult } from './invocation.ts';

const byCode: Readonly<Record<number, ErrorCode>> = {
  28: 'REPOSITORY_FOREIGN', // file-invalid: stanza-create met the files of another cluster
  44: 'REPOSITORY_FOREIGN', // archive-mismatch
  50: 'REPOSITORY_BUSY', // lock-acquire
  51: 'REPOSITORY_FOREIGN', // backup-mismatch
  82: 'ARCHIVE_STALLED', // archive-timeout
};

const unclear: readonly number[] = [
  29, // format
  39, // protocol: an HTTP status, such as 403
  42, // file-read: the connection broke
  49, // host-connect
  55, // file-missing: no stanza, or a look at another place
  75, // backup-set-invalid
  95, // crypto: the passphrase, or TLS
  101, // service: HTTP 5xx
  103, // repo-invalid
  104, // command: one or more errors
  105, // access
];

const writingCodes: readonly (number | null)[] = [
  41, // file-open
  47, // path-create
  52, // file-sync
  64, // file-write
  74, // file-move
  79, // file-close
];
/** The number of ENOSPC, as pgBackRest writes the error of a system call. */
const isDiskFull = (text: string) => /: \[28\] /.test(text);

/** The last error that was written, in one line. */
export function messageOf({ code, stderr }: CommandResult): string {
  const said = [...stderr.matchAll(/^(?:ERROR|ASSERT): \[\d+\]: (.+)$/gm)].at(-1)?.[1];
  return said?.replace(/:$/, '') ?? `pgBackRest ended with ${code === null ? 'a signal' : `exit code ${code}`}`;
}

export function isUnclear({ code }: CommandResult): boolean {
  return code !== null && unclear.includes(code);
}

export function failure(doing: 'BACKUP_FAILED' | 'RESTORE_FAILED', result: CommandResult): UnderstudyError {
  const { code, stderr } = result;
  if (writingCodes.includes(code) && isDiskFull(stderr)) return new UnderstudyError('DISK_FULL', messageOf(result));
  return new UnderstudyError(code === null ? doing : (byCode[code] ?? doing), messageOf(result));
}
