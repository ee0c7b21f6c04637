import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../src/pgbouncer/console.ts';
import { showPools } from '../src/pgbouncer/views.ts';
import { openTestAppNode, pause, poolerPort, type TestAppNode } from './fixtures/app-node.ts';
import { eventually, openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';

let world: PoolerWorld;
let app: TestAppNode;
let count = 0;

beforeAll(async () => {
  world = await openPoolerWorld();
  for (const server of Object.values(world.servers)) {
    for (const name of ['shop', 'blog']) {
      const client = await server.connect(name);
      await client.query('create table t (writer int, n int)');
      await client.query(`alter table t owner to ${name}`);
      await client.end();
    }
  }
}, 60_000);
afterAll(async () => await world.close());

beforeEach(() => {
  count += 1;
  app = openTestAppNode(world, `web${count}`);
});
afterEach(async () => await app.close());

/** Inserts one row after another until told to stop; every failure is kept. */
class Writers {
  #isStopped = false;
  #written = 0;
  readonly failures: unknown[] = [];
  readonly #done: Promise<unknown>;

  constructor(node: TestAppNode, applications: readonly string[]) {
    this.#done = Promise.all(applications.map(async (name, writer) => await this.#write(node, name, writer)));
  }

  get written(): number {
    return this.#written;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #write(node: TestAppNode, application: string, writer: number): Promise<void> {
    const client = await node.connect(application);
    for (let n = 0; !this.#isStopped; n += 1) {
      // Every second one thinks a little, so that queries also arrive just after the pause.
      if (writer % 2 === 1) await delay(1 + (n % 5));
      try {
        await client.query('insert into t values ($1, $2)', [writer, n]);
        this.#written += 1;
      } catch (error) {
        this.failures.push(error);
        this.#isStopped = true;
      }
    }
    await client.end();
  }
}

const eight = ['shop', 'shop', 'blog', 'blog', 'shop', 'shop', 'blog', 'blog'];

/**
 * Every writer has a server connection, so that no login is under way: one that a pause or a reload cuts short makes
 * pgbouncer refuse queries (see src/pgbouncer/drain.ts; the agent waits for logins, but can't keep one from beginning).
 */
async function poolsAreGrown(node: TestAppNode): Promise<void> {
  const socketDirectory = join(node.state, '..', 'run');
  const console = await Console.open({ socketDirectory, port: poolerPort }, { withinMs: 5_000 });
  try {
    await eventually('four server connections in each pool', 10_000, async () => {
      const pools = await showPools(console, { withinMs: 5_000 });
      const grown = pools.filter((pool) => pool.servers === 4 && pool.loggingIn === 0);
      return grown.length === 2 ? true : undefined;
    });
  } finally {
    console.close();
  }
}

describe('an app node', () => {
  it('moves eight busy writers from one server to the other without a failed transaction', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const writers = new Writers(app, eight);
    for (let round = 1; round <= 6; round += 1) {
      const [from, to] = round % 2 === 1 ? [db1, db2] : [db2, db1];
      const before = writers.written;
      await expect.poll(() => writers.written, { timeout: 10_000 }).toBeGreaterThan(before + 50);
      await poolsAreGrown(app);
      app.say(round, from, pause(`S-${round}`, round));
      const paused = await app.awaitState('paused', (report) => report.operation === `S-${round}`);
      expect(paused.blockers).toEqual([]);
      // Backends that have just lost their client may still be there for some ms.
      const active = await from.query(
        "select state from pg_stat_activity where usename in ('shop@web1:1', 'blog@web1:1') and xact_start is not null",
      );
      expect(active).toEqual([]);
      app.say(round + 1, to, { ended: `S-${round}` });
      const open = await app.awaitState('open', (report) => report.lastPause?.operation === `S-${round}`);
      expect(open).toMatchObject({ term: round + 1, primary: to.name });
    }
    await writers.stop();
    expect(writers.failures).toEqual([]);
  }, 60_000);

  it('repoints without a pause, and no transaction fails', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const writers = new Writers(app, eight);
    for (let term = 2; term <= 7; term += 1) {
      const before = writers.written;
      await expect.poll(() => writers.written, { timeout: 10_000 }).toBeGreaterThan(before + 50);
      await poolsAreGrown(app);
      app.say(term, term % 2 === 0 ? db2 : db1);
      await app.awaitState('open', (report) => report.term === term);
    }
    await writers.stop();
    expect(writers.failures).toEqual([]);
    const left = "select 1 from pg_stat_activity where usename in ('shop@web1:1', 'blog@web1:1')";
    await expect.poll(async () => await db2.query(left), { timeout: 10_000 }).toEqual([]);
  }, 60_000);
});
