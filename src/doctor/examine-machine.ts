/** What a machine needs to carry a stage, where there is no cluster yet that could be asked. Reads only. */
import { readFileSync } from 'node:fs';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { bad, ok } from './finding.ts';
import { checkEtcd, checkPgbouncer, checkPostgres, isOlder } from './programs.ts';
import { checkClockSource, checkDisk, checkOpenFiles, checkSharedMemory } from './resources.ts';

/** `directory`: where the stage's files would lie. */
export async function examineMachine(directory: string): Promise<readonly DoctorFinding[]> {
  const checks = await Promise.all([
    [checkNode(process.versions.node), checkAccount()],
    checkPostgres(null),
    checkPgbouncer(null),
    checkEtcd().then((finding) => [finding]),
    checkDisk(directory).then((finding) => [finding]),
    [checkOpenFiles(), checkClockSource()],
    checkSharedMemory().then((finding) => [finding]),
  ]);
  return checks.flat();
}

function checkNode(version: string): DoctorFinding {
  if (!isOlder(version, [20, 19])) return ok('node', `Node.js ${version}`);
  return bad('node', 'failure', `Node.js ${version}; 20.19 or later is needed`, 'install a newer Node.js');
}

/** PostgreSQL refuses to run as root; a stage started by root runs as `postgres`. */
function checkAccount(): DoctorFinding {
  if (process.getuid?.() !== 0) return ok('account', 'an ordinary user');
  const hasAccount = /^postgres:/m.test(readFileSync('/etc/passwd', 'utf8'));
  if (hasAccount) return ok('account', 'root; PostgreSQL runs as postgres');
  return bad(
    'account',
    'failure',
    'root, and there is no user postgres for PostgreSQL to run as',
    'install the postgresql package, or run as an ordinary user',
  );
}
