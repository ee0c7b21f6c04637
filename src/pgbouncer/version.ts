/** Finds the pgbouncer program and its version. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { findInstalled, isExecutable } from '../process/installed.ts';
import { run } from '../process/run.ts';

export interface PgbouncerVersion {
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

/** `null` when there is none. A path from the node file is taken as it is. */
export function findPgbouncer(named: string | null): string | null {
  if (named !== null) return isExecutable(named) ? named : null;
  return findInstalled('pgbouncer');
}

export function parseVersion(output: string): PgbouncerVersion | null {
  const match = /PgBouncer (\d+)\.(\d+)[^\s]*/.exec(output);
  if (match === null) return null;
  return { text: match[0].slice('PgBouncer '.length), major: Number(match[1]), minor: Number(match[2]) };
}

/** Throws POOLER_FAILED when the program is something else, or older than 1.18. */
export async function readVersion(program: string, withinMs: number): Promise<PgbouncerVersion> {
  const { stdout } = await run(program, ['--version'], { withinMs });
  const version = parseVersion(stdout);
  if (version !== null && isAtLeast(version, 1, 18)) return version;
  throw new UnderstudyError(
    'POOLER_FAILED',
    `${program} is ${version?.text ?? 'no pgbouncer'}; 1.18 or later is needed`,
    {
      hint: 'install the pgbouncer package of Debian 12 or later',
    },
  );
}

export function isAtLeast(version: PgbouncerVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
