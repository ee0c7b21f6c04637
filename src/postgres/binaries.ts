/**
 * Finds PostgreSQL's programs of one major version.
 *
 * Looks where the operator said, else where Debian's packages put them, else asks `pg_config`, else takes the PATH.
 * Invariant: what is returned was asked for its version. Installs nothing.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { run } from '../process/run.ts';

export interface Binaries {
  readonly directory: string;
  readonly major: number;
  /** As the program says it, "15.20". */
  readonly version: string;
}

const programs = ['postgres', 'initdb', 'pg_basebackup', 'pg_controldata'] as const;
export const supportedMajors = { from: 13, to: 18 } as const;

/** `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`; betas are "18beta1". */
export function parseVersion(text: string): { readonly version: string; readonly major: number } | null {
  const match = /\(PostgreSQL\) ((\d+)[^\s)]*)/.exec(text);
  const [, version, major] = match ?? [];
  return version === undefined || major === undefined ? null : { version, major: Number(major) };
}

async function isComplete(directory: string): Promise<boolean> {
  try {
    for (const program of programs) await access(join(directory, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function candidates(major: number): Promise<string[]> {
  const found = [`/usr/lib/postgresql/${major}/bin`, `/usr/pgsql-${major}/bin`];
  try {
    const { stdout } = await run('pg_config', ['--bindir'], { withinMs: 5_000 });
    found.push(stdout.trim());
  } catch {
    // not installed: it comes with the development package
  }
  return [...found, ...(process.env.PATH ?? '').split(delimiter).filter((entry) => entry.startsWith('/'))];
}

async function versionIn(directory: string): Promise<Binaries | null> {
  const { stdout } = await run(join(directory, 'postgres'), ['-V'], { withinMs: 10_000 });
  const parsed = parseVersion(stdout);
  return parsed === null ? null : { directory, ...parsed };
}

/**
 * `declared` is the directory that the operator named, or `null`. Throws POSTGRES_BINARIES_MISSING, or
 * POSTGRES_WRONG_MAJOR when the declared directory has another version.
 */
export async function findBinaries(major: number, declared: string | null): Promise<Binaries> {
  if (declared !== null) {
    if (!(await isComplete(declared))) {
      throw new UnderstudyError('POSTGRES_BINARIES_MISSING', `${declared} does not have ${programs.join(', ')}`);
    }
    const found = await versionIn(declared);
    if (found?.major === major) return found;
    const message = `${declared} has PostgreSQL ${found?.version ?? 'of an unknown version'}, declared is ${major}`;
    throw new UnderstudyError('POSTGRES_WRONG_MAJOR', message, {
      hint: 'declare the major version that is installed, or another binary directory',
    });
  }
  for (const directory of await candidates(major)) {
    if (!(await isComplete(directory))) continue;
    const found = await versionIn(directory);
    if (found?.major === major) return found;
  }
  throw new UnderstudyError('POSTGRES_BINARIES_MISSING', `PostgreSQL ${major} was not found on this machine`, {
    hint: `apt-get install postgresql-${major}`,
  });
}
