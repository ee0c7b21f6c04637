/** Files and directories of a node: who may read the secrets, how long certificates last, what the data directory holds. */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { describeError } from '../errors/understudy-error.ts';
import { isMountPoint } from '../process/mount-point.ts';
import { bad, ok } from './finding.ts';

/** A seven-day certificate is renewed well before this. */
const soonMs = 2 * 86_400_000;
/** A Unix socket's path may have 107 bytes (unix(7)); PostgreSQL's and pgbouncer's names need their part. */
const longestRunDirectory = 107 - '/.s.PGSQL.65535.lock'.length;

export function checkSecret(path: string): DoctorFinding {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) === 0) return ok('permissions', `${path} is private`);
    return bad(
      'permissions',
      'failure',
      `${path} has mode ${mode.toString(8)}: others may read it`,
      `chmod 600 ${path}, and replace it if somebody did`,
    );
  } catch (error) {
    return bad(
      'permissions',
      'failure',
      `${path}: ${describeError(error)}`,
      'it must exist, and belong to the user that the agent runs as',
    );
  }
}

/** `nowMs`: wall clock. */
export function checkCertificate(path: string, nowMs: number): DoctorFinding {
  try {
    const { validFrom, validTo } = new X509Certificate(readFileSync(path));
    const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)];
    const text = `${path} is good until ${new Date(toMs).toISOString()}`;
    if (nowMs < fromMs)
      return bad(
        'certificate',
        'failure',
        `${path} is good only from ${new Date(fromMs).toISOString()}`,
        'check the clocks of this host and of the one that issued it',
      );
    if (nowMs >= toMs)
      return bad('certificate', 'failure', `${path} has expired at ${new Date(toMs).toISOString()}`, 'issue a new one');
    return toMs - nowMs < soonMs
      ? bad('certificate', 'warning', text, 'issue a new one soon')
      : ok('certificate', text);
  } catch (error) {
    return bad('certificate', 'failure', `${path}: ${describeError(error)}`, 'the file must hold a certificate in PEM');
  }
}

export function checkRunDirectory(run: string): DoctorFinding {
  const bytes = Buffer.byteLength(run);
  if (bytes <= longestRunDirectory) return ok('socket path', `${run} leaves room for socket names`);
  return bad(
    'socket path',
    'failure',
    `${run} has ${bytes} bytes: sockets can't be made in it`,
    `choose a run directory of at most ${longestRunDirectory} bytes`,
  );
}

/** What makes every clone impossible, before it is needed: a mount point can't be replaced, tablespaces can't be copied. */
export function checkReplaceable(data: string): readonly DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  if (isMountPoint(data)) {
    const hint = 'mount the file system one directory higher, and let the data directory be a directory on it';
    findings.push(bad('data directory', 'failure', `${data} is a mount point: no clone can be put in its place`, hint));
  }
  const tablespaces = namesIn(join(data, 'pg_tblspc'));
  if (tablespaces.length > 0) {
    const hint = 'move what is in them to pg_default (alter table … set tablespace pg_default), and drop them';
    const text = `the cluster has ${tablespaces.length} tablespaces of its own: no node can be cloned`;
    findings.push(bad('tablespaces', 'failure', text, hint));
  }
  return findings;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // there is no cluster, or it may not be read, which is told by another check
  }
}

export function checkDataDirectory(data: string): DoctorFinding {
  let names: readonly string[];
  let mode: number;
  try {
    names = readdirSync(data);
    mode = statSync(data).mode & 0o777;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return ok('data directory', `${data} does not exist yet`);
    return bad(
      'data directory',
      'failure',
      `${data}: ${describeError(error)}`,
      'the user that the agent runs as must be able to read it',
    );
  }
  if (names.length === 0) return ok('data directory', `${data} is empty`);
  if (!names.includes('PG_VERSION')) {
    return bad(
      'data directory',
      'warning',
      `${data} holds files, but no PostgreSQL cluster`,
      'an unfinished clone is begun again by itself; anything else is never touched: move it away',
    );
  }
  if (mode !== 0o700 && mode !== 0o750) {
    return bad(
      'data directory',
      'failure',
      `${data} has mode ${mode.toString(8)}: PostgreSQL does not start in it`,
      `chmod 700 ${data}`,
    );
  }
  return ok('data directory', `${data} holds PostgreSQL ${readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()}`);
}
