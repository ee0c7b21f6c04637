/**
 * One server as this process reads from it: a pool of its own, whose sessions are read-only wherever they lead.
 *
 * Invariant: a statement that writes fails here, also when the server has just become the primary. How that is held is
 * the `guard`. When the server is given up, whatever is under way on it fails at once, so that it can be done elsewhere.
 */
import pg from 'pg';
import { PoolEndedError } from '../errors.ts';
import { CallersError, sqlstateOf } from '../failure.ts';
import { readOnlyTransaction } from '../reading/read-only-transaction.ts';
import type { Readable, ReadingClient } from '../reading/readable.ts';

/**
 * What makes sessions read-only. `pooler`: whatever is connected to does it by itself. `startup`: the parameter
 * `default_transaction_read_only` at the start of each session; a pooler that shares sessions refuses that.
 * `transaction`: BEGIN READ ONLY around each read, two round trips more.
 */
export type Guard = 'pooler' | 'startup' | 'transaction';

const startupOption = '-c default_transaction_read_only=on';
const protocolViolation = '08P01';

export class ServerConnections implements Readable {
  readonly name: string;
  readonly #config: pg.PoolConfig;
  readonly #clients = new Set<pg.PoolClient>();
  /** What a statement failed with before it was sent: a value that is no text, for example. */
  readonly #callers = new WeakSet<Error>();
  #guard: Guard;
  #pool: pg.Pool | null = null;
  #ended: Promise<void> | null = null;

  constructor(name: string, config: pg.PoolConfig, guard: Guard) {
    this.name = name;
    this.#config = config;
    this.#guard = guard;
  }

  get guard(): Guard {
    return this.#guard;
  }

  /** One statement. With a guard by transaction it is done in one. */
  query(text: string | pg.QueryConfig, values?: readonly unknown[]): Promise<pg.QueryResult> {
    const within = () => this.transaction('BEGIN READ ONLY', (client) => client.query(text, values));
    if (this.#guard === 'transaction' || this.#ended !== null) return within();
    const pool = this.#open();
    return pool.query(text, values === undefined ? undefined : [...values]).catch((error: unknown) => {
      this.#judge(pool, error);
      return within();
    });
  }

  async transaction<T>(begin: string, work: (client: ReadingClient) => Promise<T>): Promise<T> {
    const client = (await this.#tried((pool) => pool.connect())) ?? (await this.#open().connect());
    const open = async (): Promise<void> => {
      await client.query(begin);
    };
    return await readOnlyTransaction(client, open, work);
  }

  /** What is under way fails now; who comes later may try again. */
  breakOff(): void {
    for (const client of this.#clients) client.connection.stream.destroy();
  }

  async end(): Promise<void> {
    this.#ended ??= this.#pool === null ? Promise.resolve() : this.#pool.end();
    await this.#ended;
  }

  /** `null`: a pooler refused the parameter, before anything else was sent; from now on transactions hold the guard. */
  async #tried<T>(attempt: (pool: pg.Pool) => Promise<T>): Promise<T | null> {
    const pool = this.#open();
    try {
      return await attempt(pool);
    } catch (error) {
      this.#judge(pool, error);
      return null;
    }
  }

  /** Throws the error, unless it is a pooler's word that it takes no such parameter. */
  #judge(pool: pg.Pool, error: unknown): void {
    if (error instanceof Error && this.#callers.has(error)) throw new CallersError(error);
    if (this.#guard !== 'startup' || sqlstateOf(error) !== protocolViolation) throw error;
    if (this.#pool !== pool) return;
    this.#guard = 'transaction';
    this.#pool = null;
    void pool.end();
  }

  #open(): pg.Pool {
    if (this.#ended !== null) throw new PoolEndedError();
    if (this.#pool !== null) return this.#pool;
    const options = this.#guard === 'startup' ? { options: withStartup(this.#config.options) } : {};
    const pool = new pg.Pool({ ...this.#config, ...options });
    // A server that goes takes its idle connections with it: that is what the meter sees, and no reason to end a process.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => this.#clients.add(client));
    pool.on('remove', (client) => this.#clients.delete(client));
    pool.on('release', (error: Error | boolean | undefined, client) => {
      if (!(error instanceof Error) || sqlstateOf(error) !== null) return;
      if (!client.connection.stream.destroyed) this.#callers.add(error);
    });
    this.#pool = pool;
    return pool;
  }
}

function withStartup(options: string | undefined): string {
  return options === undefined ? startupOption : `${options} ${startupOption}`;
}
