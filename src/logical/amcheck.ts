/**
 * Looks for corruption in every table and B-tree index of a server, by pg_amcheck and the extension amcheck (documentation F.2).
 *
 * Invariant: a database that was not looked at is never taken for a sound one. On a standby, and in the past, nothing can be installed: there
 * only databases that had the extension are looked at, the others are named.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { type Database, listDatabases } from './databases.ts';
import { ask, runProgram, type Server } from './server.ts';

export interface Corruption {
  readonly database: string;
  /** As pg_amcheck names it: `btree index "shop.public.users_pkey"`. */
  readonly relation: string;
  readonly text: string;
}

export interface Unchecked {
  readonly database: string;
  readonly because: string;
  /** It took longer than it may, which says nothing of what is in it. */
  readonly isLate: boolean;
}

export interface AmcheckResult {
  readonly checked: readonly string[];
  readonly unchecked: readonly Unchecked[];
  /** The first thousand. */
  readonly corruptions: readonly Corruption[];
}

export interface AmcheckOptions {
  readonly signal: AbortSignal;
  /** For each database, of that size. */
  readonly withinMs: (bytes: number) => number;
  /** How many connections look at once; one if left out. */
  readonly jobs?: number;
  /** Also that each row has its entry in each index: as much work again. */
  readonly everyRow?: boolean;
  /** Makes the extension where it is missing: on a server that can be written, and of which that may be asked. */
  readonly install?: boolean;
}

const mostCorruptions = 1_000;
/** pg_amcheck's own: it has looked, and found something. */
const foundSomething = 2;

/** Throws POSTGRES_BINARIES_MISSING where there is no pg_amcheck: it comes with PostgreSQL 14. */
export async function amcheck(server: Server, options: AmcheckOptions): Promise<AmcheckResult> {
  if (!existsSync(join(server.binaries, 'pg_amcheck'))) {
    throw new UnderstudyError('POSTGRES_BINARIES_MISSING', `there is no pg_amcheck in ${server.binaries}`);
  }
  const checked: string[] = [];
  const unchecked: Unchecked[] = [];
  const corruptions: Corruption[] = [];
  for (const database of await listDatabases(server, options.signal)) {
    const { name } = database;
    try {
      const why = await whyNotCheckable(server, name, options);
      if (why !== null) {
        unchecked.push({ database: name, because: why, isLate: false });
        continue;
      }
      corruptions.push(...(await checkDatabase(server, database, options)));
      checked.push(name);
    } catch (error) {
      options.signal.throwIfAborted();
      const isLate = isUnderstudyError(error, 'TIMEOUT');
      unchecked.push({ database: name, because: describeError(error), isLate });
    }
  }
  return { checked, unchecked, corruptions: corruptions.slice(0, mostCorruptions) };
}

async function whyNotCheckable(
  server: Server,
  database: string,
  { install, signal }: AmcheckOptions,
): Promise<string | null> {
  if (install === true) return null;
  const found = await ask(server, database, "SELECT extname FROM pg_extension WHERE extname = 'amcheck'", { signal });
  return found.length > 0 ? null : 'it has no extension amcheck';
}

async function checkDatabase(
  server: Server,
  { bytes, name: database }: Pick<Database, 'name' | 'bytes'>,
  { everyRow, install, jobs = 1, signal, withinMs }: AmcheckOptions,
): Promise<readonly Corruption[]> {
  const args = [
    ...(everyRow === true ? ['--heapallindexed'] : []),
    ...(install === true ? ['--install-missing'] : []),
    `--jobs=${jobs}`,
    '--maintenance-db=postgres',
    // A pattern, in which nothing between quotes has a meaning.
    `--database="${database.replaceAll('"', '""')}"`,
  ];
  const bounds = { withinMs: withinMs(bytes), signal, anyExit: true };
  const { code, stderr, stdout } = await runProgram(server, 'pg_amcheck', { args, ...bounds });
  if (code !== 0 && code !== foundSomething) {
    const because = stderr.trim().split('\n').at(-1) ?? '';
    throw new UnderstudyError('PROCESS_FAILED', because === '' ? `pg_amcheck ended with ${code}` : because);
  }
  const found = corruptionsIn(database, stdout);
  if (code === 0 || found.length > 0) return found;
  return [{ database, relation: '', text: stdout.trim() || stderr.trim() }];
}

/** A line names the relation, those below it, indented, say what is wrong with it. */
export function corruptionsIn(database: string, output: string): readonly Corruption[] {
  const found: { database: string; relation: string; lines: string[] }[] = [];
  for (const line of output.split('\n')) {
    if (/^(?:heap table|btree index) ".*:$/.test(line))
      found.push({ database, relation: line.slice(0, -1), lines: [] });
    else if (line.trim() !== '') found.at(-1)?.lines.push(line.trim());
  }
  return found.map(({ lines, relation }) => ({ database, relation, text: lines.join('; ') }));
}
