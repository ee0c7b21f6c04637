/**
 * Writes, each followed by a read that has to see it, on a stage of which one replica lags by two seconds.
 *
 * Each of 5,000 requests is a session: one row written by `db.tx`, then that row read by `db.read()`. The same with sessions
 * that are pinned to the primary for five seconds after a write, and with none at all, where a stale read is what one expects.
 * The second figure of each is of users that come back: four more requests of the same user, with its token and 100 ms
 * between them, each reading the row. Prints JSON: stale reads, and by whom reads were served. `bench/client-causal.ts [WRITES]`.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClusterPool, type Consistency, channels, type RouteEvent } from '@understudy/client';
import { applicationFiles } from '../src/stage/record.ts';
import { rounded, spread } from './figures.ts';
import { machineFacts } from './machine.ts';
import { StageUnderTest } from './stage-under-test.ts';
import { until } from './waiting.ts';

const users = 8;
const lagMs = 2_000;
const requestsLater = 4;
const laterEveryMs = 100;
const settleMs = 3_000;

const kinds: Readonly<Record<string, Consistency>> = {
  'by position and timeline': 'causal',
  'pinned to the primary for 5 s': { pinForMs: 5_000 },
  'neither: for comparison': 'any',
};

interface Reads {
  total: number;
  stale: number;
  readonly tookMs: number[];
  readonly by: Record<string, number>;
}

function isRoute(event: unknown): event is RouteEvent {
  return typeof event === 'object' && event !== null && 'passedOver' in event;
}

class Requests {
  readonly atOnce: Reads = { total: 0, stale: 0, tookMs: [], by: {} };
  readonly later: Reads = { total: 0, stale: 0, tookMs: [], by: {} };
  readonly #db: ClusterPool;
  readonly #consistency: Consistency;
  #last = 0;

  constructor(db: ClusterPool, consistency: Consistency) {
    this.#db = db;
    this.#consistency = consistency;
  }

  async play(kind: string, writes: number, comesBack: boolean): Promise<void> {
    await Promise.all(
      Array.from({ length: users }, async () => {
        while (this.#last < writes) {
          this.#last += 1;
          await this.#user(`${kind} ${comesBack} ${this.#last}`, comesBack);
        }
      }),
    );
  }

  async #user(key: string, comesBack: boolean): Promise<void> {
    const token = await this.#db.session(
      null,
      async (session) => {
        await this.#db.tx((t) => t.query('INSERT INTO causal (key) VALUES ($1)', [key]));
        await this.#read(key, comesBack ? null : this.atOnce);
        return await session.token();
      },
      { consistency: this.#consistency },
    );
    for (let n = 0; comesBack && n < requestsLater; n += 1) {
      await delay(laterEveryMs);
      await this.#db.session(token, () => this.#read(key, this.later), { consistency: this.#consistency });
    }
  }

  async #read(key: string, reads: Reads | null): Promise<void> {
    const begun = performance.now();
    const { rowCount } = await this.#db.read().query('SELECT key FROM causal WHERE key = $1', [key]);
    if (reads === null) return;
    reads.total += 1;
    reads.tookMs.push(performance.now() - begun);
    if (rowCount !== 1) reads.stale += 1;
  }
}

/** Who served the reads of `work`, by node; the primary by that name. */
async function served(work: () => Promise<void>): Promise<Record<string, number>> {
  const by: Record<string, number> = {};
  const listen = (event: unknown): void => {
    if (!isRoute(event)) return;
    const name = event.role === 'primary' ? 'primary' : event.server;
    by[name] = (by[name] ?? 0) + 1;
  };
  channels.route.subscribe(listen);
  await work();
  channels.route.unsubscribe(listen);
  return by;
}

function report({ stale, total, tookMs }: Reads, by: Readonly<Record<string, number>>) {
  const all = Object.values(by).reduce((sum, n) => sum + n, 0);
  return {
    reads: total,
    stale,
    replicaShare: rounded(1 - (by.primary ?? 0) / all, 3),
    by,
    tookMs: spread(tookMs),
  };
}

const writes = Number(process.argv[2] ?? 5_000);
if (!Number.isSafeInteger(writes) || writes < 1) {
  console.error('bench/client-causal.ts [WRITES]');
  process.exit(2);
}

const results = await StageUnderTest.with({ nodes: 3, appNodes: 1 }, async (stage) => {
  const { primary } = await stage.status();
  const lagging =
    stage.record.nodes.filter(({ name, role }) => role === 'database' && name !== primary).at(-1)?.name ?? '';
  const application = join(applicationFiles(stage.record, 'app1'), 'shop');
  const db = new ClusterPool({ application, max: users * 2 });
  try {
    await db.query('CREATE TABLE causal (key text PRIMARY KEY)');
    await stage.local(lagging, `ALTER SYSTEM SET recovery_min_apply_delay = '${lagMs}ms'`);
    await stage.local(lagging, 'SELECT pg_reload_conf()');
    await db.query("INSERT INTO causal VALUES ('first')");
    await until('the replica lags', settleMs * 3, 100, async () => {
      const { candidates } = await db.explainRoute();
      await db.query('INSERT INTO causal VALUES (gen_random_uuid()::text)');
      return candidates.some(({ name, lagMs: behind }) => name === lagging && behind !== null && behind > lagMs / 2);
    });
    const found: Record<string, unknown> = {};
    for (const [kind, consistency] of Object.entries(kinds)) {
      const atOnce = new Requests(db, consistency);
      const byAtOnce = await served(() => atOnce.play(kind, writes, false));
      const back = new Requests(db, consistency);
      const by = await served(() => back.play(kind, Math.ceil(writes / 10), true));
      found[kind] = { atOnce: report(atOnce.atOnce, byAtOnce), later: report(back.later, by) };
      console.error(`${kind}: ${JSON.stringify(found[kind])}`);
    }
    return { lagging, lagMs, writes, found };
  } finally {
    await db.end();
  }
});
console.log(JSON.stringify({ ...results, machine: await machineFacts() }, null, 2));
