/** Are the programs there that a node needs, and which versions are they? */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { describeError } from '../errors/understudy-error.ts';
import { findInstalled, isExecutable } from '../process/installed.ts';
import { run } from '../process/run.ts';
import { bad, ok } from './finding.ts';

const versionWithinMs = 5_000;
const debianHome = '/usr/lib/postgresql';
const neededBeside = ['initdb', 'pg_basebackup', 'pg_controldata'] as const;
/** `directory`: where the node file says that they are; `null`: wherever packages put them. */
export async function checkPostgres(directory: string | null): Promise<readonly DoctorFinding[]> {
  const found = (directory === null ? postgresDirectories() : [directory]).filter((bin) =>
    isExecutable(join(bin, 'postgres')),
  );
  if (found.length === 0) {
    const where = directory === null ? '' : ` in ${directory}`;
    return [
      bad(
        'postgres',
        'failure',
        `no PostgreSQL server is installed${where}`,
        'install the postgresql package, or name its directory in the node file',
      ),
    ];
  }
  const whole = found.filter((bin) => neededBeside.every((name) => isExecutable(join(bin, name))));
  // A lone `postgres` somewhere on the PATH is nobody's concern while a whole installation is there.
  return await Promise.all((whole.length > 0 ? whole : found).map(checkPostgresIn));
}

function postgresDirectories(): readonly string[] {
  const majors = existsSync(debianHome) ? readdirSync(debianHome) : [];
  const onPath = findInstalled('postgres');
  return [...majors.map((major) => join(debianHome, major, 'bin')), ...(onPath === null ? [] : [join(onPath, '..')])];
}

async function checkPostgresIn(bin: string): Promise<DoctorFinding> {
  const missing = neededBeside.filter((name) => !isExecutable(join(bin, name)));
  if (missing.length > 0) {
    return bad(
      'postgres',
      'failure',
      `${bin} lacks ${missing.join(', ')}`,
      'install the server and client packages of that version',
    );
  }
  const [server, backup] = await Promise.all([versionOf(join(bin, 'postgres')), versionOf(join(bin, 'pg_basebackup'))]);
  const text = `PostgreSQL ${server.version ?? '?'} in ${bin}`;
  if (server.version === null) return notRunning('postgres', join(bin, 'postgres'), server.because);
  if (backup.version === server.version) return ok('postgres', text);
  return bad(
    'postgres',
    'warning',
    `${text}, but pg_basebackup is ${backup.version ?? backup.because}`,
    'install server and client of the same version',
  );
}

/** `program`: as the node file says; `null`: wherever packages put it. */
export async function checkPgbouncer(program: string | null): Promise<readonly DoctorFinding[]> {
  const found = program ?? findInstalled('pgbouncer');
  if (found === null || !isExecutable(found)) {
    return [
      bad(
        'pgbouncer',
        'failure',
        `no pgbouncer${program === null ? ' is installed' : ` at ${program}`}`,
        'install the pgbouncer package',
      ),
    ];
  }
  const { version, because } = await versionOf(found);
  if (version === null) return [notRunning('pgbouncer', found, because)];
  return pgbouncerFindings(version, found, existsSync('/var/lib/dpkg/info/pgbouncer.list'));
}

/** `isPackaged`: distributions mend old versions, and leave their number as it is. */
export function pgbouncerFindings(version: string, program: string, isPackaged: boolean): readonly DoctorFinding[] {
  if (isOlder(version, [1, 18])) {
    return [
      bad(
        'pgbouncer',
        'failure',
        `pgbouncer ${version} at ${program}; 1.18 or later is needed`,
        'install the pgbouncer package of Debian 12 or later',
      ),
    ];
  }
  const findings: DoctorFinding[] = [];
  if (isOlder(version, [1, 21])) {
    const text = `pgbouncer ${version} knows no named prepared statements in transaction pooling; 1.21 does`;
    findings.push(
      bad('pgbouncer', 'warning', text, 'let drivers use unnamed statements, or install a newer pgbouncer'),
    );
  }
  if (isOlder(version, [1, 25, 2]) && !isPackaged) {
    const text = `pgbouncer ${version}: before 1.25.2 a client could end it without logging in`;
    findings.push(
      bad('pgbouncer', 'warning', text, 'install 1.25.2 or later, or a package that your distribution keeps mended'),
    );
  }
  return findings.length > 0 ? findings : [ok('pgbouncer', `pgbouncer ${version} at ${program}`)];
}

/** Only a machine that runs a store needs it. */
export async function checkEtcd(): Promise<DoctorFinding> {
  const found = findInstalled('etcd');
  if (found === null) return bad('etcd', 'failure', 'no etcd is installed', 'install the etcd-server package');
  const { version, because } = await versionOf(found);
  if (version === null) return notRunning('etcd', found, because);
  if (!isOlder(version, [3, 4])) return ok('etcd', `etcd ${version} at ${found}`);
  return bad(
    'etcd',
    'failure',
    `etcd ${version} at ${found}; 3.4 or later is needed`,
    'install the etcd-server package of Debian 12 or later',
  );
}

function notRunning(check: string, program: string, because: string): DoctorFinding {
  return bad(check, 'failure', `${program} does not run: ${because}`, 'install it again');
}

async function versionOf(program: string): Promise<{ readonly version: string | null; readonly because: string }> {
  try {
    const { stdout } = await run(program, ['--version'], { withinMs: versionWithinMs });
    const version = /\d+(?:\.\d+)+|\d+(?:beta|rc)\d+/.exec(stdout)?.[0] ?? null;
    return { version, because: version === null ? 'it does not say its version' : '' };
  } catch (error) {
    return { version: null, because: describeError(error) };
  }
}

export function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, limit] of than.entries()) {
    const part = parts[index] ?? 0;
    if (part !== limit) return part < limit;
  }
  return false;
}
