/**
 * A load: writers that know what became of everything they sent.
 *
 * `startLoad` makes the tables and starts the writers; `stop` ends them and answers the history, which `judge` holds
 * against what the nodes hold (run.ts). Nothing here knows what a cluster is: it is given URIs.
 * Invariant: when `stop` has answered, no connection is left, and each attempt is written down once.
 */
import type { ClientConfig } from 'pg';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { CommitLevel, History, Source, Workload } from '../history/attempt.ts';
import type { Clock } from '../ports/clock.ts';
import { withDeadline } from '../timing/deadline.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { dealAppends } from './append.ts';
import { AttemptLog, type LoadCounts } from './attempt-log.ts';
import { dealTransfers } from './bank.ts';
import { clientConfig } from './connection-uri.ts';
import { isServerError } from './ending.ts';
import { dealInserts } from './inserts.ts';
import { createPace } from './pace.ts';
import { type Answer, openSession } from './session.ts';
import { dropTables, makeTables } from './tables.ts';
import type { Draw, Task } from './task.ts';
import { write } from './writer.ts';

/** Where an application connects: as `understudy uri` prints it. */
export interface LoadTarget extends Source {
  readonly uri: string;
}

export interface LoadOptions {
  /** All lead to the same database; writers are shared out among them in turn. */
  readonly targets: readonly LoadTarget[];
  readonly workloads: readonly Workload[];
  readonly writers: number;
  readonly commit: CommitLevel;
  /** Attempts per second of all writers together; `null`: as many as there can be. */
  readonly perSecond?: number | null;
  readonly clock?: Clock;
  readonly draw?: Draw;
  /** Ends everything at once; `stop` then answers what there is. */
  readonly signal?: AbortSignal;
}

export interface Load {
  readonly run: string;
  /** The database behind the alias that the targets name. */
  readonly database: string;
  counts(): LoadCounts;
  /**
   * Lets writers end what they are doing, for ten seconds; what has not been answered then is unknown.
   * May be called again, and answers the same.
   */
  stop(): Promise<History>;
  /** Drops the tables. Throws POSTGRES_FAILED when no target lets it. */
  dropTables(): Promise<void>;
}

/** For each login and each statement; longer than a pooler may hold it, or a pause ends in unknown outcomes. */
const statementWithinMs = 30_000;
const stopWithinMs = 10_000;
const tablesWithinMs = 30_000;
/** For tables of a load that never began: whoever pressed Ctrl-C waits for it. */
const leftoverWithinMs = 2_000;
const tablesPauseMs = 200;
const bank = { accounts: 16, opening: 1_000 } as const;
const over = new Error('the load was over before it was answered');

/** Throws CONFIG_INVALID for a URI that can't be used, REQUEST_INVALID for nothing to do, POSTGRES_FAILED when the tables can't be made. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const { clock = createLinuxClock(), draw = Math.random, signal = new AbortController().signal } = options;
  const { targets, workloads } = options;
  if (targets.length === 0 || workloads.length === 0)
    throw new UnderstudyError('REQUEST_INVALID', 'a load needs a target and a workload');
  const run = runName(draw);
  const given = { ...options, run, clock, draw, signal, connections: targets.map(({ uri }) => clientConfig(uri)) };
  const made = "the load's tables could not be made";
  try {
    await tell(given, makeTables(run, options.commit, bank), made);
    const [found] = (await tell(given, 'select current_database() as database', made)).rows;
    return new RunningLoad({ ...given, database: z.object({ database: z.string() }).parse(found).database });
  } catch (error) {
    // They may be there although nobody heard of it.
    const unheard = { ...given, signal: AbortSignal.timeout(leftoverWithinMs) };
    await tell(unheard, dropTables(run), made).catch(() => undefined);
    throw error;
  }
}

type Given = LoadOptions &
  Required<Pick<LoadOptions, 'clock' | 'draw' | 'signal'>> & {
    readonly run: string;
    readonly connections: readonly ClientConfig[];
  };
type Started = Given & Pick<Load, 'database'>;

class RunningLoad implements Load {
  readonly run: string;
  readonly database: string;
  readonly #given: Given;
  readonly #startedAtEpochMs: number;
  readonly #startedMs: number;
  readonly #log = new AttemptLog();
  readonly #stopping = new AbortController();
  readonly #cutting = new AbortController();
  readonly #ended: Promise<unknown>;
  #stopped: Promise<History> | null = null;

  constructor(given: Started) {
    this.run = given.run;
    this.database = given.database;
    this.#given = given;
    this.#startedAtEpochMs = given.clock.wallClock().getTime();
    this.#startedMs = given.clock.boottimeMs();
    this.#ended = Promise.all(this.#startWriters());
    this.#ended.catch(() => undefined); // told by `stop`
  }

  counts(): LoadCounts {
    return this.#log.counts(this.#nowMs());
  }

  stop(): Promise<History> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async dropTables(): Promise<void> {
    await tell(this.#given, dropTables(this.run), "the load's tables could not be dropped");
  }

  #nowMs(): number {
    return this.#given.clock.boottimeMs() - this.#startedMs;
  }

  #startWriters(): readonly Promise<void>[] {
    const { clock, commit, connections, draw, perSecond, run, signal, workloads } = this.#given;
    const dealOf = deals(run, draw);
    const common = {
      commit,
      deals: workloads.map((workload) => dealOf[workload]),
      pace: createPace(perSecond ?? null, clock),
      log: this.#log,
      clock,
      startedMs: this.#startedMs,
      withinMs: statementWithinMs,
      draw,
    };
    const stopping = AbortSignal.any([signal, this.#stopping.signal]);
    const cutting = AbortSignal.any([signal, this.#cutting.signal]);
    return Array.from({ length: this.#given.writers }, (_, writer) => {
      const source = writer % connections.length;
      return write({ ...common, writer, source, connect: connections[source] ?? {} }, stopping, cutting);
    });
  }

  async #end(): Promise<History> {
    const durationMs = this.#nowMs();
    this.#stopping.abort(over);
    await withDeadline(stopWithinMs, this.#given.signal, () => this.#ended).catch(() => undefined);
    this.#cutting.abort(over);
    await this.#ended;
    const { commit, targets, workloads, writers } = this.#given;
    return {
      sources: targets.map(({ application, node }) => ({ application, node })),
      workloads,
      writers,
      commit,
      startedAtEpochMs: this.#startedAtEpochMs,
      durationMs,
      bank,
      attempts: this.#log.attempts(),
    };
  }
}

function deals(run: string, draw: Draw): Readonly<Record<Workload, () => Task>> {
  return { inserts: dealInserts(run), append: dealAppends(run, draw), bank: dealTransfers(run, bank, draw) };
}

function runName(draw: Draw): string {
  return Array.from({ length: 8 }, () => Math.floor(draw() * 36).toString(36)).join('');
}

/** Through whichever target takes it, until one does or the time is over; the text may be carried out more than once. */
async function tell({ clock, connections, signal }: Given, text: string, failure: string): Promise<Answer> {
  const until = clock.boottimeMs() + tablesWithinMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const connect = connections[attempt % connections.length] ?? {};
      return await tellOnce(connect, text, Math.max(1, until - clock.boottimeMs()), signal);
    } catch (cause) {
      signal.throwIfAborted();
      if (clock.boottimeMs() > until || isForbidden(cause)) {
        const hint = isForbidden(cause)
          ? 'an application that may make schemas in its database is needed: name one that may write'
          : 'see understudy status; a commit that waits for standbys needs one that streams';
        throw new UnderstudyError('POSTGRES_FAILED', failure, { cause, hint });
      }
      await clock.sleep(tablesPauseMs, signal);
    }
  }
}

/** Insufficient privilege (PostgreSQL documentation, appendix A): asking again changes nothing. */
function isForbidden(error: unknown): boolean {
  return isServerError(error) && error.code === '42501';
}

async function tellOnce(connect: ClientConfig, text: string, withinMs: number, signal: AbortSignal): Promise<Answer> {
  const session = await openSession(connect, withinMs, signal);
  try {
    return await session.query(text);
  } finally {
    session.close();
  }
}
