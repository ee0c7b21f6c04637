/**
 * One kept-open connection to the local server over its Unix socket, as the superuser by peer authentication.
 *
 * Invariant: every statement has a deadline. One that does not answer in time costs the connection: it is dropped and
 * the next statement opens a new one, so a frozen server never holds the agent.
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

/** SQLSTATE of an error the server reported; `null` for anything else. */
export function sqlState(error: unknown): string | null {
  if (error instanceof pg.DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? sqlState(error.cause) : null;
}

function destroy(client: pg.Client): void {
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

function newClient(where: Where): pg.Client {
  const client = new pg.Client({
    host: where.socketDirectory,
    port: where.port,
    user: superuser,
    database: where.database ?? 'postgres',
    application_name: sessionName,
    // A stray function or table of a user can't stand in for one of the catalog's.
    options: '-c search_path=pg_catalog -c lc_messages=C -c synchronous_commit=local -c statement_timeout=0',
  });
  client.on('error', () => undefined); // the next statement notices
  return client;
}

export interface Where {
  readonly socketDirectory: string;
  readonly port: number;
  readonly database?: string;
}

/** A login under way, for everybody who asks meanwhile; each waits for as long as he has time. */
interface Opening {
  readonly client: pg.Client;
  readonly connected: Promise<pg.Client>;
  waiting: number;
}

export function createSession(where: Where): Session {
  let current: pg.Client | null = null;
  let opening: Opening | null = null;

  const forget = (client: pg.Client): void => {
    if (current === client) current = null;
    destroy(client);
  };

  const begin = (): Opening => {
    const client = newClient(where);
    const begun: Opening = {
      client,
      waiting: 0,
      connected: client.connect().then(
        () => {
          client.on('end', () => {
            if (current === client) current = null;
          });
          if (opening === begun) {
            opening = null;
            current = client;
          }
          return client;
        },
        (cause: unknown) => {
          if (opening === begun) opening = null;
          destroy(client);
          const message = `can't connect to ${where.socketDirectory} port ${where.port}`;
          throw new UnderstudyError('POSTGRES_FAILED', message, { cause });
        },
      ),
    };
    return begun;
  };

  const abandon = (begun: Opening): void => {
    if (opening === begun) opening = null;
    destroy(begun.client);
  };

  const connect = async (withinMs: number, signal: AbortSignal | undefined): Promise<pg.Client> => {
    if (current !== null) return current;
    opening ??= begin();
    const joined = opening;
    joined.waiting += 1;
    const client = await within(withinMs, joined.connected, signal).finally(() => {
      joined.waiting -= 1;
    });
    if (client !== null) return client;
    if (joined.waiting === 0) abandon(joined);
    throw cancelled(signal) ?? late(`the server did not let us in within ${Math.round(withinMs)} ms`);
  };

  const send = async (
    query: pg.QueryConfig,
    withinMs: number,
    signal?: AbortSignal,
  ): Promise<pg.QueryResult<unknown[] | object>> => {
    const start = performance.now();
    const client = await connect(withinMs, signal);
    const leftMs = Math.max(1, withinMs - (performance.now() - start));
    let result: pg.QueryResult | null;
    try {
      result = await within(leftMs, client.query(query), signal);
    } catch (cause) {
      // The server's own refusals leave the connection usable; anything else does not.
      if (!(cause instanceof pg.DatabaseError) || cause.severity === 'FATAL') forget(client);
      throw new UnderstudyError('POSTGRES_FAILED', 'the server refused a statement', { cause });
    }
    if (result === null) {
      forget(client);
      throw cancelled(signal) ?? late(`the server did not answer within ${Math.round(withinMs)} ms`);
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
