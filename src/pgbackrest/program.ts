/** Finds the pgBackRest program, and which version it is. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { findInstalled } from '../process/installed.ts';
import { run } from '../process/run.ts';

export interface ProgramVersion {
  /** Such as `2.45`, or `2.55.1`. */
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

/** `null`: there is none. */
export function findProgram(): string | null {
  return findInstalled('pgbackrest');
}

/** Of util-linux: starts a program that the kernel kills as soon as its parent is gone. */
export function findParentWatch(): string | null {
  return findInstalled('setpriv');
}

export function parseVersion(output: string): ProgramVersion | null {
  const [, text, major, minor] = /^pgBackRest ((\d+)\.(\d+)\S*)/.exec(output) ?? [];
  return text === undefined ? null : { text, major: Number(major), minor: Number(minor) };
}

export function isAtLeast(version: ProgramVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}

/** Throws REPOSITORY_BINARIES_MISSING when there is none, when it is something else, or older than 2.45. */
export async function readVersion(program: string | null): Promise<ProgramVersion> {
  if (program === null) throw new UnderstudyError('REPOSITORY_BINARIES_MISSING', 'there is no pgbackrest on this node');
  const { stdout } = await run(program, ['version'], { withinMs: 10_000, env: { LC_ALL: 'C' } });
  const version = parseVersion(stdout);
  if (version !== null && isAtLeast(version, 2, 45)) return version;
  throw new UnderstudyError(
    'REPOSITORY_BINARIES_MISSING',
    `${program} is ${version === null ? 'no pgBackRest' : `pgBackRest ${version.text}`}; 2.45 or later is needed`,
  );
}
