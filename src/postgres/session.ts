/**
 * One kept-open connection to the local server over its Unix socket, as the superuser by peer authentication.
 *
 * Invariant: every statement has a deadline. One that does not answer in time costs the connection: it is dropped and
 * the next statement opens a new one, so a frozen server never holds the agent. And no statement leaves a transaction behind
 * in which the next would run, or fail: such a connection is dropped as well.
 * Repeats nothing: after a lost connection only the caller knows whether the statement may be sent again.
 */
import pg from 'pg';
import type { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { sessionName, superuser } from './layout.ts';
import { within } from './waiting.ts';

export interface Statement<T> {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared once per connection under this name: for what runs on every pass of the loop. */
  readonly prepareAs?: string;
  /** Every row is checked against it. */
  readonly row: z.ZodType<T>;
}

export interface Session {
  query<T>(statement: Statement<T>, withinMs: number): Promise<readonly T[]>;
  /** For statements without rows; several in one text are one transaction, unless they say otherwise. */
  execute(text: string, withinMs: number, signal?: AbortSignal): Promise<void>;
  isOpen(): boolean;
  /** Drops the connection, and a login under way, at once; the next statement opens a new one. */
  drop(): void;
}

/** Settings of a session that differ from the server's: `{ log_statement: 'none' }`. No value has a blank in it. */
export type SessionSettings = Readonly<Record<string, string>>;

const usualSettings: SessionSettings = {
  // A stray function or table of a user can't stand in for one of the catalog's.
  search_path: 'pg_catalog',
  lc_messages: 'C',
  synchronous_commit: 'local',
  statement_timeout: '0',
  // What a database or a role of a user is set to holds for users.
  lock_timeout: '0',
  default_transaction_read_only: 'off',
  row_security: 'on',
};

/** SQLSTATE of an error the server reported; `null` for anything else. */
export function sqlState(error: unknown): string | null {
  if (error instanceof pg.DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? sqlState(error.cause) : null;
}

function destroy({ client }: Connection): void {
  // `end` says goodbye and waits; a frozen server never answers. The socket is what must go.
  client.connection.stream.destroy();
}

function cancelled(signal: AbortSignal | undefined): UnderstudyError | null {
  if (signal?.aborted !== true) return null;
  return new UnderstudyError('POSTGRES_FAILED', 'the statement was cancelled', { cause: signal.reason });
}

function late(message: string): UnderstudyError {
  return new UnderstudyError('POSTGRES_TIMEOUT', message);
}

interface Connection {
  readonly client: pg.Client;
  /** After an error: when the server waits for the next statement, or is gone. */
  recovered: Promise<unknown>;
}

function newConnection(where: Where): Connection {
  const settings = Object.entries({ ...usualSettings, ...where.settings });
  const client = new pg.Client({
    host: where.socketDirectory,
    port: where.port,
    user: superuser,
    database: where.database ?? 'postgres',
    application_name: sessionName,
    options: settings.map(([name, value]) => `-c ${name}=${value}`).join(' '),
  });
  client.on('error', () => undefined); // the next statement notices
  const made: Connection = { client, recovered: Promise.resolve() };
  // The server answers in two parts: what went wrong, and then whether it waits inside a transaction.
  const wire = client.connection;
  wire.on('errorMessage', () => {
    made.recovered = new Promise((resolve) => wire.once('readyForQuery', resolve).once('end', resolve));
  });
  return made;
}

export interface Where {
  readonly socketDirectory: string;
  readonly port: number;
  readonly database?: string;
  readonly settings?: SessionSettings;
}

/** A login under way, for everybody who asks meanwhile; each waits for as long as he has time. */
interface Opening {
  readonly connection: Connection;
  readonly connected: Promise<Connection>;
  waiting: number;
}

export function createSession(where: Where): Session {
  let current: Connection | null = null;
  let opening: Opening | null = null;

  const forget = (connection: Connection): void => {
    if (current === connection) current = null;
    destroy(connection);
  };

  const begin = (): Opening => {
    const connection = newConnection(where);
    const { client } = connection;
    const begun: Opening = {
      connection,
      waiting: 0,
      connected: client.connect().then(
        () => {
          client.on('end', () => {
            if (current === connection) current = null;
          });
          if (opening === begun) {
            opening = null;
            current = connection;
          }
          return connection;
        },
        (cause: unknown) => {
          if (opening === begun) opening = null;
          destroy(connection);
          const message = `can't connect to ${where.socketDirectory} port ${where.port}`;
          throw new UnderstudyError('POSTGRES_FAILED', message, { cause });
        },
      ),
    };
    return begun;
  };

  const abandon = (begun: Opening): void => {
    if (opening === begun) opening = null;
    destroy(begun.connection);
  };

  const connect = async (withinMs: number, signal: AbortSignal | undefined): Promise<Connection> => {
    if (current !== null) return current;
    opening ??= begin();
    const joined = opening;
    joined.waiting += 1;
    const connection = await within(withinMs, joined.connected, signal).finally(() => {
      joined.waiting -= 1;
    });
    if (connection !== null) return connection;
    if (joined.waiting === 0) abandon(joined);
    throw cancelled(signal) ?? late(`the server did not let us in within ${Math.round(withinMs)} ms`);
  };

  /** Whether the next statement may follow on the same connection. */
  const isIdle = async (connection: Connection, withinMs: number, signal: AbortSignal | undefined) => {
    const isRecovered = await within(
      withinMs,
      connection.recovered.then(() => true),
      signal,
    );
    return isRecovered === true && current === connection && connection.client.getTransactionStatus() === 'I';
  };

  const send = async (
    query: pg.QueryConfig,
    withinMs: number,
    signal?: AbortSignal,
  ): Promise<pg.QueryResult<unknown[] | object>> => {
    const end = performance.now() + withinMs;
    const leftMs = () => Math.max(1, end - performance.now());
    const connection = await connect(withinMs, signal);
    let result: pg.QueryResult | null;
    try {
      result = await within(leftMs(), connection.client.query(query), signal);
    } catch (cause) {
      // The server's own refusals leave the connection usable, unless a transaction is still open; anything else does not.
      const isRefusal = cause instanceof pg.DatabaseError && cause.severity !== 'FATAL';
      if (!isRefusal || !(await isIdle(connection, leftMs(), signal))) forget(connection);
      throw new UnderstudyError('POSTGRES_FAILED', 'the server refused a statement', { cause });
    }
    if (result === null) {
      forget(connection);
      throw cancelled(signal) ?? late(`the server did not answer within ${Math.round(withinMs)} ms`);
    }
    if (connection.client.getTransactionStatus() !== 'I') {
      forget(connection);
      throw new UnderstudyError('BROKEN_INVARIANT', 'a statement left its transaction open');
    }
    return result;
  };

  return {
    async query({ text, values, prepareAs, row }, withinMs) {
      const result = await send(
        {
          text,
          ...(values === undefined ? {} : { values: [...values] }),
          ...(prepareAs === undefined ? {} : { name: prepareAs }),
        },
        withinMs,
      );
      return result.rows.map((each) => row.parse(each));
    },
    async execute(text, withinMs, signal) {
      await send({ text }, withinMs, signal);
    },
    isOpen: () => current !== null,
    drop() {
      if (opening !== null) abandon(opening);
      if (current !== null) forget(current);
    },
  };
}
