/**
 * Asks one server again and again where it is, on a connection of its own.
 *
 * Invariant: one question at a time, each with a deadline; a connection that did not answer is never used again. What it
 * tells is what the server said after it was asked, so that a position is at least that of the moment of the question. It keeps a
 * process alive only while a question is open: somebody may wait for the answer.
 */
import { Socket } from 'node:net';
import pg from 'pg';
import { parseSelf, type Self, selfQuery } from '../positions/position.ts';
import { Deadline } from '../timing/deadline.ts';
import type { Runtime } from '../timing/runtime.ts';
import { SharedQuestion } from '../timing/shared-question.ts';

export interface Measurement {
  /** When the question was asked, in ms of the runtime. */
  readonly atMs: number;
  /** `null`: there was no answer in time. */
  readonly self: Self | null;
  /** Why there was none. */
  readonly error: unknown;
}

export class Meter {
  readonly #config: pg.PoolConfig;
  readonly #lost: () => void;
  readonly #withinMs: number;
  readonly #runtime: Runtime;
  #client: pg.Client | null = null;
  readonly #question = new SharedQuestion(() => this.#ask());
  #isEnded = false;

  /** `lost` is told when a connection that had answered has ended. */
  constructor(config: pg.PoolConfig, withinMs: number, runtime: Runtime, lost: () => void) {
    this.#config = config;
    this.#lost = lost;
    this.#withinMs = withinMs;
    this.#runtime = runtime;
  }

  /** A measurement that was begun now or later; those who ask while one is under way share the next. Never rejects. */
  async measure(): Promise<Measurement> {
    return await this.#question.answer();
  }

  end(): void {
    this.#isEnded = true;
    this.#drop();
  }

  async #ask(): Promise<Measurement> {
    const atMs = this.#runtime.nowMs();
    const deadline = new Deadline(this.#withinMs);
    try {
      const client = await deadline.before(this.#connected());
      const { stream } = client.connection;
      if (stream instanceof Socket) stream.ref();
      const { rows } = await deadline.before(client.query(selfQuery));
      if (stream instanceof Socket) stream.unref();
      return { atMs, self: parseSelf(rows[0]), error: null };
    } catch (error) {
      this.#drop();
      return { atMs, self: null, error };
    } finally {
      deadline.clear();
    }
  }

  async #connected(): Promise<pg.Client> {
    if (this.#isEnded) throw new Error('the pool has ended');
    if (this.#client !== null) return this.#client;
    const client = clientOf({ ...this.#config, keepAlive: true });
    this.#client = client;
    const dropIt = (): void => {
      if (this.#client !== client) return;
      this.#client = null;
      this.#lost();
    };
    client.on('error', dropIt);
    client.on('end', dropIt);
    await client.connect();
    return client;
  }

  #drop(): void {
    this.#client?.connection.stream.destroy();
    this.#client = null;
  }
}

/** A pool may have a class of its own for its clients, which knows its login. */
function clientOf(config: pg.PoolConfig): pg.Client {
  const Client: new (config: pg.ClientConfig) => pg.ClientBase = config.Client ?? pg.Client;
  const client = new Client(config);
  if (client instanceof pg.Client) return client;
  throw new TypeError('Client should be a class that extends that of pg');
}
