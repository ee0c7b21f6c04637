/**
 * One connection to pgbouncer's console over its Unix socket. The console takes the simple protocol without
 * parameters only, and asks no password of the user it runs as (pgbouncer documentation, "Admin console").
 *
 * Invariant: every command ends within its time. A connection whose command was given up is closed, since its answer
 * could come later and be taken for another one's.
 */
import pg from 'pg';
import { z } from 'zod';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';

/** All values as the text that was sent. */
export type ConsoleRow = Readonly<Record<string, string | null>>;

const rowsSchema = z.array(z.record(z.string(), z.string().nullable()));

/** Quotes a database's name for PAUSE and RESUME. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export interface ConsoleAddress {
  readonly socketDirectory: string;
  readonly port: number;
}

/** Rejects when the time is over or the signal fires; `abandon` is called then. */
export async function bounded<T>(what: string, work: Promise<T>, options: ActOptions, abandon: () => void): Promise<T> {
  const { signal, withinMs } = options;
  return await new Promise<T>((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancelled);
      act();
    };
    const giveUp = (message: string): void => {
      abandon();
      settle(() => reject(new UnderstudyError('POOLER_TIMEOUT', message)));
    };
    const cancelled = (): void => giveUp(`${what} was cancelled`);
    const timer = setTimeout(() => giveUp(`${what} took longer than ${withinMs} ms`), withinMs);
    signal?.addEventListener('abort', cancelled);
    work.then(
      (value) => settle(() => resolve(value)),
      (cause: unknown) => settle(() => reject(failure(what, cause))),
    );
    if (signal?.aborted === true) cancelled();
  });
}

function failure(what: string, cause: unknown): Error {
  return isUnderstudyError(cause)
    ? cause
    : new UnderstudyError('POOLER_FAILED', `pgbouncer: ${what} failed`, { cause });
}

export class Console {
  readonly #client: pg.Client;
  #isOpen = true;
  /** The library takes one command at a time. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #listeners = new Set<() => void>();

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on('error', () => this.#ended());
    client.on('end', () => this.#ended());
  }

  /** Throws POOLER_FAILED or POOLER_TIMEOUT. */
  static async open(address: ConsoleAddress, options: ActOptions): Promise<Console> {
    const client = new pg.Client({
      host: address.socketDirectory,
      port: address.port,
      user: 'pgbouncer',
      database: 'pgbouncer',
      ssl: false,
      types: { getTypeParser: () => (text: unknown) => text },
    });
    const opened = new Console(client);
    try {
      await bounded('connecting to its console', client.connect(), options, () => opened.close());
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Called once, when the connection is gone for whatever reason. */
  onEnd(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Commands of one connection are performed in the order of the calls. Throws POOLER_FAILED, POOLER_TIMEOUT. */
  async query(command: string, options: ActOptions): Promise<readonly ConsoleRow[]> {
    const answer = this.#queue.then(async () => {
      if (!this.#isOpen) throw new UnderstudyError('POOLER_FAILED', 'the connection to pgbouncer is gone');
      return await this.#client.query(command);
    });
    this.#queue = answer.catch(() => {});
    const result = await bounded(command, answer, options, () => this.close());
    return rowsSchema.parse(result.rows);
  }

  close(): void {
    // Says goodbye and waits for the other side to close; a frozen pgbouncer never does. The socket is what must go.
    this.#client.end().catch(() => {});
    this.#client.connection.stream.destroy();
    this.#ended();
  }

  #ended(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}
