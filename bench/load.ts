/**
 * A load of single-row inserts, each its own transaction, whose every outcome is known afterwards.
 *
 * Each row is unique (run, writer, number). Connections, transactions and what became of them are those of `understudy stage
 * load` (src/load), so that both judge alike. Invariant of the account: `ok` was acknowledged; `failed` is proven not to
 * have been committed; everything else is `unknown`. Lost = acknowledged and missing.
 * Does not retry a row: a writer whose connection broke connects anew and goes on with its next number.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import type { Ending } from '../src/history/attempt.ts';
import { openSession, type Session } from '../src/load/session.ts';
import { autocommit, transact } from '../src/load/transaction.ts';

export interface LoadOptions {
  readonly connect: ClientConfig;
  readonly writers: number;
  /** Tells this load's rows from those of others in the same table. */
  readonly run: string;
  readonly table: string;
  /** A wait between two inserts of a writer, in ms; 0: none. */
  readonly thinkMs?: number;
  /** What each transaction asks for: `on` waits for the synchronous standbys. Default: a single statement, committed as the server does by itself: locally. */
  readonly commit?: 'local' | 'on' | null;
}

export interface LoadFailure {
  readonly writer: number;
  readonly number: number;
  readonly outcome: 'failed' | 'unknown';
  readonly because: string;
  /** On the clock of `monotonicMs`. */
  readonly atMs: number;
}

export interface LoadAccount {
  readonly run: string;
  readonly table: string;
  /** The highest number that each writer used; numbers begin at 1. All but the failures were acknowledged. */
  readonly highest: readonly number[];
  readonly failures: readonly LoadFailure[];
  /** When each acknowledgement arrived, in order, on the clock of `monotonicMs`. */
  readonly acknowledgedAtMs: readonly (readonly number[])[];
}

/** CLOCK_MONOTONIC in ms: the same clock in every thread and process of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export async function createLoadTable(connect: ClientConfig, table: string): Promise<void> {
  const client = new Client(connect);
  await client.connect();
  try {
    await client.query(
      `create table if not exists ${table} (run text, writer int, number bigint, at timestamptz not null default now(), primary key (run, writer, number))`,
    );
  } finally {
    await client.end();
  }
}

export interface Load {
  /** Acknowledged so far. */
  acknowledged(): number;
  /** Ends after the statements that are under way. */
  stop(): Promise<LoadAccount>;
}

const reconnectMs = 20;
/** Longer than anything that is measured here: whoever measures says himself what takes too long. */
const answeredWithinMs = 600_000;
const never = new AbortController().signal;

export function startLoad(options: LoadOptions): Load {
  const writers = Array.from({ length: options.writers }, (_, writer) => new Writer(options, writer));
  const done = writers.map((writer) => writer.run());
  return {
    acknowledged: () => writers.reduce((sum, writer) => sum + writer.acknowledgedAtMs.length, 0),
    async stop() {
      for (const writer of writers) writer.ending = true;
      await Promise.all(done);
      return {
        run: options.run,
        table: options.table,
        highest: writers.map((writer) => writer.highest),
        failures: writers.flatMap((writer) => writer.failures),
        acknowledgedAtMs: writers.map((writer) => writer.acknowledgedAtMs),
      };
    },
  };
}

class Writer {
  readonly acknowledgedAtMs: number[] = [];
  readonly failures: LoadFailure[] = [];
  highest = 0;
  ending = false;
  readonly #options: LoadOptions;
  readonly #writer: number;

  constructor(options: LoadOptions, writer: number) {
    this.#options = options;
    this.#writer = writer;
  }

  async run(): Promise<void> {
    while (!this.ending) {
      let session: Session;
      try {
        session = await openSession(this.#options.connect, answeredWithinMs, never);
      } catch {
        await delay(reconnectMs); // no statement was sent: nothing failed, the gap shows it
        continue;
      }
      await this.#insertUntilBroken(session);
      session.close();
    }
  }

  async #insertUntilBroken(session: Session): Promise<void> {
    const { table, thinkMs = 0 } = this.#options;
    const insert = `insert into ${table} (run, writer, number) values ($1, $2, $3)`;
    while (!this.ending && session.isOpen()) {
      const number = this.highest + 1;
      this.highest = number;
      const ending = await this.#insert(session, insert, number);
      if (ending.outcome === 'ok') this.acknowledgedAtMs.push(monotonicMs());
      else this.failures.push({ writer: this.#writer, number, ...ending, atMs: monotonicMs() });
      if (thinkMs > 0) await delay(thinkMs);
    }
  }

  async #insert(session: Session, insert: string, number: number): Promise<Ending> {
    const { run, commit } = this.#options;
    const row = [run, this.#writer, number];
    if (commit === undefined || commit === null) return await autocommit(session, insert, row);
    return await transact(session, commit, async () => void (await session.query(insert, row)));
  }
}

export interface Verification {
  readonly acknowledged: number;
  /** Acknowledged and missing. */
  readonly lost: readonly string[];
  /** Refused and yet there. */
  readonly phantom: readonly string[];
  /** Of those with an unknown outcome. */
  readonly unknownThere: number;
  readonly unknownMissing: number;
}

/** Reads the table where `connect` leads and holds it against the account. */
export async function verifyLoad(connect: ClientConfig, account: LoadAccount): Promise<Verification> {
  const client = new Client(connect);
  await client.connect();
  const lost: string[] = [];
  const phantom: string[] = [];
  const result = { acknowledged: 0, lost, phantom, unknownThere: 0, unknownMissing: 0 };
  try {
    for (const [writer, highest] of account.highest.entries()) {
      const missing = await missingNumbers(client, account, writer, highest);
      const failures = account.failures.filter((failure) => failure.writer === writer);
      const failed = new Set(failures.map((failure) => failure.number));
      result.acknowledged += highest - failed.size;
      result.lost.push(...[...missing].filter((number) => !failed.has(number)).map((number) => `${writer}/${number}`));
      for (const { number, outcome } of failures) {
        if (outcome === 'failed' && !missing.has(number)) result.phantom.push(`${writer}/${number}`);
        if (outcome === 'unknown' && missing.has(number)) result.unknownMissing += 1;
        if (outcome === 'unknown' && !missing.has(number)) result.unknownThere += 1;
      }
    }
    return result;
  } finally {
    await client.end();
  }
}

async function missingNumbers(
  client: Client,
  account: LoadAccount,
  writer: number,
  highest: number,
): Promise<Set<number>> {
  const text = `select g as number from generate_series(1, $3::bigint) g
    except select number from ${account.table} where run = $1 and writer = $2`;
  const { rows } = await client.query<{ number: string }>(text, [account.run, writer, highest]);
  return new Set(rows.map((row) => Number(row.number)));
}

export interface Gap {
  readonly ms: number;
  /** When it began, on the clock of `monotonicMs`. */
  readonly fromMs: number;
}

/** The longest time without an acknowledgement to any writer, between two instants. */
export function longestGap(account: LoadAccount, fromMs: number, toMs: number): Gap {
  const times = account.acknowledgedAtMs.flat().filter((at) => at >= fromMs && at <= toMs);
  return gapOf(
    times.sort((a, b) => a - b),
    fromMs,
    toMs,
  );
}

/** The same as the unluckiest writer saw it, in ms. */
export function longestWriterGap(account: LoadAccount, fromMs: number, toMs: number): number {
  const within = account.acknowledgedAtMs.map((times) => times.filter((at) => at >= fromMs && at <= toMs));
  return Math.max(...within.map((times) => gapOf(times, fromMs, toMs).ms));
}

function gapOf(times: readonly number[], fromMs: number, toMs: number): Gap {
  let last = fromMs;
  let longest = { ms: 0, fromMs };
  for (const at of [...times, toMs]) {
    if (at - last > longest.ms) longest = { ms: at - last, fromMs: last };
    last = at;
  }
  return longest;
}
