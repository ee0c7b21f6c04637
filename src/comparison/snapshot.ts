/**
 * One side of a comparison: a session that sees a database as it is at one moment, and for as long as it is open.
 *
 * Invariant: nothing can be written through it, and whatever is read through it belongs to one snapshot (REPEATABLE READ,
 * documentation 13.2.2; a standby allows no more). Text means the same on both sides: what a value looks like depends on no setting of
 * a server, a database or a role. One statement per call, also where a condition was typed by a person. Every wait ends: at the
 * server by `statement_timeout`, here a little later, and at once by the caller's signal; each costs the session.
 */
import pg, { type ClientConfig, type QueryArrayConfig } from 'pg';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { withDeadline } from '../timing/deadline.ts';

export type Cell = string | null;
export type Cells = readonly Cell[];

export interface Snapshot {
  /** `then` or `now`, or whatever its reader calls it. */
  readonly name: string;
  readonly encoding: string;
  /** What a person who writes SQL for this database expects; in force only after `useOwnSearchPath`. */
  readonly ownSearchPath: string;
  /** Throws POSTGRES_TIMEOUT, or POSTGRES_FAILED with what the server said. */
  query(text: string, values?: readonly Cell[]): Promise<readonly Cells[]>;
  close(): Promise<void>;
}

export interface SnapshotOptions {
  readonly name: string;
  /** The longest that one statement may take: a table's first reading is one. */
  readonly statementTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The same on both sides, so that the same value is the same text. `row_security`: an error rather than fewer rows. */
const settings: Readonly<Record<string, string>> = {
  search_path: '""',
  client_encoding: 'UTF8',
  DateStyle: 'ISO,YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
  row_security: 'off',
  // A cursor is read to its end here; half of the rows soon would be of no use.
  cursor_tuple_fraction: '1',
  work_mem: '32MB',
  jit: 'off',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '0',
};

const connectWithinMs = 15_000;
/** The server's own timeout comes first and says more. */
const graceMs = 5_000;

/** `queryMode` is not among the driver's types: with it a text that holds two statements is refused. */
interface OneStatement extends QueryArrayConfig<Cell[]> {
  readonly queryMode: 'extended';
}

function oneStatement(text: string, values: readonly Cell[]): OneStatement {
  return {
    text,
    values: [...values],
    rowMode: 'array',
    queryMode: 'extended',
    types: { getTypeParser: () => (value: unknown) => value },
  };
}

function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** SQLSTATE 57014: cancelled, which is how a statement's timeout reads; 40001 on a standby: replay went before reading. */
function readFailure(name: string, error: unknown): UnderstudyError {
  if (error instanceof UnderstudyError) return error;
  const state = sqlStateOf(error);
  if (state === '57014') {
    return new UnderstudyError('POSTGRES_TIMEOUT', `reading ${name} took too long`, {
      cause: error,
      hint: 'compare fewer rows by a condition, or allow more time',
    });
  }
  const hint = state === '40001' ? { hint: 'the standby had to go on with its replay: read from another server' } : {};
  return new UnderstudyError('POSTGRES_FAILED', `reading ${name} failed`, { cause: error, ...hint });
}

/** Throws what `query` throws; then nothing is left open. The configuration names a role that may read everything. */
export async function openSnapshot(config: ClientConfig, options: SnapshotOptions): Promise<Snapshot> {
  const { name, signal, statementTimeoutMs } = options;
  const client = new pg.Client({ ...config, application_name: 'understudy comparison' });
  client.on('error', () => undefined); // the statement under way tells, or the next
  const drop = (): void => {
    client.connection.stream.destroy();
  };
  const bounded = async <T>(withinMs: number, work: () => Promise<T>): Promise<T> => {
    try {
      return await withDeadline(withinMs, signal, () => {
        const doing = work();
        doing.catch(() => undefined); // what comes of it after the deadline is nobody's
        return doing;
      });
    } catch (error) {
      if (sqlStateOf(error) === undefined) drop();
      signal?.throwIfAborted();
      throw readFailure(name, error);
    }
  };
  const query = async (text: string, values: readonly Cell[] = []): Promise<readonly Cells[]> =>
    (await bounded(statementTimeoutMs + graceMs, () => client.query<Cell[]>(oneStatement(text, values)))).rows;
  try {
    await bounded(connectWithinMs, () => client.connect());
    const begun = await begin(query, statementTimeoutMs);
    const close = (): Promise<void> => withDeadline(graceMs, undefined, () => client.end()).catch(drop);
    return { name, ...begun, query, close };
  } catch (error) {
    drop();
    throw error;
  }
}

async function begin(query: Snapshot['query'], statementTimeoutMs: number) {
  await query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const [before] = await query("SELECT pg_catalog.current_setting('search_path')");
  const all = { ...settings, statement_timeout: String(Math.ceil(statementTimeoutMs)) };
  for (const [setting, value] of Object.entries(all)) {
    await query('SELECT pg_catalog.set_config($1, $2, true)', [setting, value]);
  }
  const [row] = await query("SELECT current_setting('server_encoding'), current_setting('server_version_num')");
  // Noticed within a second that nobody waits for the answer any more (from 14 on).
  if (Number(row?.[1]) >= 140_000) await query("SELECT set_config('client_connection_check_interval', '1s', true)");
  return { encoding: row?.[0] ?? '', ownSearchPath: before?.[0] ?? '' };
}

/**
 * For what a person wrote: `users` and the operators of extensions are found then. With it goes what a schema of that path holds, which
 * others may have put there (documentation 10.3): nothing is asked so unless somebody wrote it for this database.
 */
export async function useOwnSearchPath(snapshot: Snapshot): Promise<void> {
  await snapshot.query("SELECT pg_catalog.set_config('search_path', $1, true)", [snapshot.ownSearchPath]);
}
