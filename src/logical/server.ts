/**
 * One server, and how PostgreSQL's own programs reach it: over its Unix socket, as the operating system user that `peer` takes for
 * the superuser; or wherever an instance of the past listens.
 *
 * Invariant: no password, and nothing of the environment of whoever started this takes part.
 */
import { join } from 'node:path';
import { programEnvironment } from '../postgres/program-environment.ts';
import { type RunOptions, type RunResult, run } from '../process/run.ts';

export interface Server {
  /** The directory of PostgreSQL's programs. */
  readonly binaries: string;
  /** The socket's directory. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Who runs the programs, where that is somebody else; only root may say so. */
  readonly runAs: { readonly uid: number; readonly gid: number } | null;
  /** The words before each program, which end in starting it in their place, as those of `nice` do. */
  readonly under?: readonly string[];
}

export interface ProgramRun extends Omit<RunOptions, 'cwd' | 'env' | 'user'> {
  readonly args: readonly string[];
}

const askWithinMs = 30_000;

/** Throws what `run` throws. The server is named by what is added to the arguments. */
export function runProgram(server: Server, program: string, { args, ...options }: ProgramRun): Promise<RunResult> {
  const where = ['--host', server.host, '--port', String(server.port), '--username', server.user, '--no-password'];
  const path = join(server.binaries, program);
  const [file = path, ...words] = [...(server.under ?? []), path, ...where, ...args];
  return run(file, words, {
    ...options,
    cwd: '/',
    env: programEnvironment(),
    ...(server.runAs === null ? {} : { user: server.runAs }),
  });
}

/**
 * What one query answers, in its first column, or what statements say. Variables are named in the text as `:'name'` or `:"name"`, and
 * quoted by psql.
 */
export async function ask(
  server: Server,
  database: string,
  text: string,
  {
    signal,
    values = {},
    withinMs = askWithinMs,
  }: { signal?: AbortSignal; values?: Readonly<Record<string, string>>; withinMs?: number } = {},
): Promise<readonly string[]> {
  const variables = Object.entries(values).map(([name, value]) => `--set=${name}=${value}`);
  const { stdout } = await runProgram(server, 'psql', {
    args: ['-XAtq', '--set=ON_ERROR_STOP=1', ...variables, '--dbname', conninfo(database)],
    input: `SET search_path TO pg_catalog;\n${text}`,
    withinMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return stdout.split('\n').filter((line) => line !== '');
}

/** A database's name may look like a connection string, and is none (libpq documentation, 34.1.1). */
export function conninfo(database: string): string {
  return `dbname='${database.replace(/[\\']/g, '\\$&')}'`;
}
