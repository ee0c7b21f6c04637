/** Are the programs there that this node needs, and which versions? */
import { existsSync, readdirSync } from 'node:fs';
import type { DoctorFinding } from '../api/contract.ts';
import { describeError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';
import { bad, ok } from './finding.ts';

export interface ProgramWishes {
  readonly role: 'database' | 'app' | 'witness';
  readonly binaries: { readonly postgres: string | null; readonly pgbouncer: string | null };
}

const debianHome = '/usr/lib/postgresql';
const versionWithinMs = 5_000;

export async function checkPrograms(wishes: ProgramWishes): Promise<readonly DoctorFinding[]> {
  if (wishes.role === 'app') return [await checkPgbouncer(wishes.binaries.pgbouncer)];
  if (wishes.role === 'witness') return [];
  return await checkPostgres(wishes.binaries.postgres);
}

async function checkPostgres(directory: string | null): Promise<readonly DoctorFinding[]> {
  const directories = directory === null ? debianDirectories() : [directory];
  const found = directories.filter((bin) => existsSync(`${bin}/postgres`));
  if (found.length === 0) {
    return [bad('postgres', 'failure', 'no PostgreSQL server is installed', 'apt-get install postgresql')];
  }
  return await Promise.all(
    found.map(async (bin) => {
      const missing = ['initdb', 'pg_basebackup', 'pg_controldata'].filter((name) => !existsSync(`${bin}/${name}`));
      if (missing.length > 0) return bad('postgres', 'failure', `${bin} lacks ${missing.join(', ')}`, 'install the server and client packages');
      return await versionOf('postgres', `${bin}/postgres`, ['-V']);
    }),
  );
}

function debianDirectories(): readonly string[] {
  if (!existsSync(debianHome)) return [];
  return readdirSync(debianHome).map((major) => `${debianHome}/${major}/bin`);
}

async function checkPgbouncer(program: string | null): Promise<DoctorFinding> {
  const places = program === null ? ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'] : [program];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) return bad('pgbouncer', 'failure', 'no pgbouncer is installed', 'apt-get install pgbouncer');
  const finding = await versionOf('pgbouncer', found, ['-V']);
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(finding.text) ?? [];
  if (finding.verdict !== 'ok' || Number(major) > 1 || Number(minor) >= 21) return finding;
  return bad('pgbouncer', 'warning', `${finding.text}: before 1.21 it knows no named prepared statements in transaction pooling`, 'drivers must use unnamed statements, or install a newer pgbouncer');
}

async function versionOf(check: string, program: string, args: readonly string[]): Promise<DoctorFinding> {
  try {
    const result = await run(program, args, { withinMs: versionWithinMs });
    return ok(check, `${program}: ${result.stdout.trim().split('\n')[0] ?? ''}`);
  } catch (error) {
    return bad(check, 'failure', `${program} does not run: ${describeError(error)}`, 'install it again');
  }
}
