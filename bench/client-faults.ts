/**
 * What callers of @understudy/client see through switchovers, killed postmasters and lost hosts, on a stage.
 *
 * Eight writers, each with one transaction after the other by `db.tx`: a row with the transaction's own key and one more on a
 * counter, committed on a standby as well (`durability: 'on'`), under an idempotency key. Prints JSON. In the end the database
 * is asked what is there: of every key that was answered, one row; of none that was refused or rolled back, any; and the
 * counters have what the rows say. `bench/client-faults.ts [SWITCHOVERS] [POSTMASTERS] [HOSTS]`, 10, 10 and 5 by default.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterError, ClusterPool, channels, type TransactionEvent } from '@understudy/client';
import { sendSignal } from '../src/process/signal.ts';
import { stageProcesses } from '../src/stage/processes.ts';
import { applicationFiles } from '../src/stage/record.ts';
import { rounded, spread } from './figures.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const writers = 8;
const calmMs = 1_500;
const movedWithinMs = 60_000;
const deadlineMs = 60_000;

type Ending = 'answered' | 'not-sent' | 'rolled-back' | 'unknown' | 'other';

interface Done {
  readonly key: string;
  readonly ending: Ending;
  readonly error: string | null;
  readonly tookMs: number;
  readonly endedAtMs: number;
}

class Writers {
  readonly done: Done[] = [];
  readonly #db: ClusterPool;
  readonly #run: string;
  readonly #running: Promise<void>[];
  #isStopped = false;

  /** `run` begins the keys: one that was used is done, also by another load. */
  constructor(db: ClusterPool, run: string) {
    this.#db = db;
    this.#run = run;
    this.#running = Array.from({ length: writers }, (_, writer) => this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #write(writer: number): Promise<void> {
    for (let n = 1; !this.#isStopped; n += 1) {
      const key = `${this.#run} ${writer}-${n}`;
      const begun = performance.now();
      const { ending, error } = await this.#once(writer, key);
      const endedAtMs = performance.now();
      this.done.push({ key, ending, error, tookMs: endedAtMs - begun, endedAtMs });
    }
  }

  async #once(writer: number, key: string): Promise<Pick<Done, 'ending' | 'error'>> {
    try {
      const answer = await this.#db.tx(
        async (t) => {
          await t.query('INSERT INTO client_rows (key) VALUES ($1)', [key]);
          await t.query('UPDATE client_counters SET n = n + 1 WHERE writer = $1', [writer]);
          return { key };
        },
        { durability: 'on', idempotencyKey: key, deadlineMs },
      );
      return answer.key === key ? { ending: 'answered', error: null } : { ending: 'other', error: 'of another key' };
    } catch (error) {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { ending: error instanceof ClusterError ? error.outcome : 'other', error: text };
    }
  }
}

function isTransaction(event: unknown): event is TransactionEvent {
  return typeof event === 'object' && event !== null && 'settledBy' in event;
}

/** A strike, and what heals it. */
interface Fault {
  readonly name: string;
  strike(stage: StageUnderTest, primary: string): Promise<void>;
  heal(stage: StageUnderTest): Promise<void>;
  readonly moves: boolean;
}

async function cli(stage: StageUnderTest, ...args: readonly string[]): Promise<void> {
  const { code, stderr, stdout } = await stage.cli(...args);
  if (code !== 0) throw new Error(`understudy ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}

const faults: readonly Fault[] = [
  {
    name: 'switchover',
    moves: true,
    strike: async (stage) => {
      await stage.move();
    },
    heal: async () => undefined,
  },
  {
    name: 'postmaster killed',
    moves: false,
    strike: async (stage, primary) => {
      const found = stageProcesses(stage.record).filter(({ kind, node }) => node === primary && kind === 'postmaster');
      for (const process of found) sendSignal(process, 'SIGKILL');
    },
    heal: async () => undefined,
  },
  {
    name: 'host lost',
    moves: true,
    strike: (stage, primary) => cli(stage, 'stage', 'fault', 'kill', primary, '--what', 'all'),
    heal: (stage) => cli(stage, 'stage', 'fault', 'heal'),
  },
];

/** The longest time without an answer to anybody, in ms. */
function longestGap(done: readonly Done[], fromMs: number, toMs: number): number {
  const inside = done.filter(
    ({ ending, endedAtMs }) => ending === 'answered' && endedAtMs >= fromMs && endedAtMs <= toMs,
  );
  const moments = [fromMs, ...inside.map(({ endedAtMs }) => endedAtMs).sort((a, b) => a - b), toMs];
  return Math.max(...moments.slice(1).map((moment, index) => moment - (moments[index] ?? moment)));
}

async function play(stage: StageUnderTest, fault: Fault, load: Writers): Promise<number> {
  await stage.untilHealthy();
  await delay(calmMs);
  const { primary } = await stage.status();
  const fromMs = performance.now();
  await fault.strike(stage, primary ?? '');
  if (fault.moves) {
    await until('another node is primary', movedWithinMs, 50, async () => {
      const now = await stage.status().catch(() => null);
      return now !== null && now.primary !== null && now.primary !== primary;
    });
  }
  await delay(calmMs);
  await fault.heal(stage);
  await stage.untilHealthy();
  await delay(calmMs);
  return longestGap(load.done, fromMs, performance.now());
}

async function judge(db: ClusterPool, done: readonly Done[]) {
  const { rows } = await db.query<{ key: string; n: number }>(
    'SELECT key, count(*)::int AS n FROM client_rows GROUP BY key',
  );
  const there = new Map(rows.map(({ key, n }) => [key, n]));
  const of = (ending: Ending) => done.filter((one) => one.ending === ending);
  const missing = of('answered').filter(({ key }) => !there.has(key));
  const wrong = [...of('not-sent'), ...of('rolled-back'), ...of('other')].filter(({ key }) => there.has(key));
  const counted = await db.query<{ n: number }>('SELECT sum(n)::int AS n FROM client_counters');
  const errors: Record<string, number> = {};
  for (const { error } of done) if (error !== null) errors[error] = (errors[error] ?? 0) + 1;
  return {
    answered: of('answered').length,
    errors: done.length - of('answered').length,
    endings: Object.fromEntries(
      (['not-sent', 'rolled-back', 'unknown', 'other'] as const).map((e) => [e, of(e).length]),
    ),
    texts: errors,
    answeredAndMissing: missing.length,
    twice: [...there.values()].filter((n) => n > 1).length,
    saidNotDoneAndThere: wrong.length,
    countersAgree: counted.rows[0]?.n === [...there.values()].reduce((sum, n) => sum + n, 0),
  };
}

const times = [10, 10, 5].map((otherwise, index) => Number(process.argv[2 + index] ?? otherwise));
if (times.some((n) => !Number.isSafeInteger(n) || n < 0)) {
  console.error('bench/client-faults.ts [SWITCHOVERS] [POSTMASTERS] [HOSTS]');
  process.exit(2);
}

const report = await StageUnderTest.with({ nodes: 3, appNodes: 1 }, async (stage) => {
  const application = join(applicationFiles(stage.record, 'app1'), 'shop');
  const db = new ClusterPool({ application, max: writers + 2 });
  try {
    await db.query('CREATE TABLE client_rows (key text NOT NULL)');
    await db.query('CREATE TABLE client_counters (writer int PRIMARY KEY, n int NOT NULL)');
    await db.query('INSERT INTO client_counters SELECT g, 0 FROM generate_series(0, $1::int - 1) g', [writers]);
    await db.query(db.outcomeTable.create);
    const results = [];
    for (const [index, fault] of faults.entries()) {
      const load = new Writers(db, fault.name);
      const repeated = { attempts: 0, settledByKey: 0 };
      const listen = (event: unknown): void => {
        if (!isTransaction(event)) return;
        if (event.attempts > 1) repeated.attempts += event.attempts - 1;
        if (event.settledBy === 'key') repeated.settledByKey += 1;
      };
      channels.transaction.subscribe(listen);
      const before = performance.now();
      const gaps: number[] = [];
      for (let n = 0; n < (times[index] ?? 0); n += 1) {
        gaps.push(await play(stage, fault, load));
        console.error(`${fault.name} ${n + 1}: longest gap ${Math.round(gaps.at(-1) ?? 0)} ms`);
      }
      await load.stop();
      channels.transaction.unsubscribe(listen);
      const verdict = await judge(db, load.done);
      const lastedS = rounded((performance.now() - before) / 1_000);
      const waitedMs = spread(load.done.map(({ tookMs }) => tookMs));
      results.push({
        fault: fault.name,
        times: times[index],
        gapMs: spread(gaps),
        waitedMs,
        lastedS,
        repeated,
        ...verdict,
      });
      await db.query('TRUNCATE client_rows');
      await db.query('UPDATE client_counters SET n = 0');
    }
    return results;
  } finally {
    await db.end();
  }
});
console.log(JSON.stringify({ results: report, machine: await machineFacts() }, null, 2));
