/** What clients of a real pooler see while nobody accepts writes: they wait, and go on where a primary is. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestAppNode, type TestAppNode } from './fixtures/app-node.ts';
import { eventually, openPoolerWorld, type PoolerWorld, serverPort, type TestServer } from './fixtures/pooler-world.ts';

let world: PoolerWorld;
let app: TestAppNode;
let count = 0;

beforeAll(async () => {
  world = await openPoolerWorld();
}, 60_000);
afterAll(async () => await world.close());

beforeEach(() => {
  count += 1;
  app = openTestAppNode(world, `out${count}`, ['blog']);
});
afterEach(async () => {
  await app.close();
  for (const server of Object.values(world.servers)) await server.start();
});

async function whereIs(alias: string): Promise<unknown> {
  const client = await app.connect(alias);
  try {
    const result: { rows: { address: string }[] } = await client.query('select host(inet_server_addr()) as address');
    return result.rows[0]?.address;
  } finally {
    await client.end();
  }
}

async function aWaitingClient(): Promise<void> {
  await eventually('a waiting client', 10_000, async () => {
    const local = await app.pooler().observe(1_000);
    return local.state === 'running' && local.waiting > 0 ? true : undefined;
  });
}

const lost = (server: TestServer) => ({
  primary: {
    node: server.name,
    hostName: `${server.name}.test.internal`,
    address: server.address,
    port: serverPort,
    timeline: 1,
    datacenter: null,
    writable: false,
  },
});

const standby = (server: TestServer) => ({
  node: server.name,
  hostName: `${server.name}.test.internal`,
  address: server.address,
  port: serverPort,
  timeline: 1,
  datacenter: null,
  streaming: false,
  lagBytes: null,
});

describe('a primary that is gone', () => {
  it('is noticed by its shut port, while agents go on calling it writable; writers wait for the next', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    expect(await whereIs('shop')).toBe(db1.address);
    await db1.stop('SIGQUIT');
    // The first complaint of the pooler is what makes its agent look; that client may fail, and nothing was sent for it.
    const first = whereIs('shop').catch(() => 'failed');
    await app.awaitState('held');
    const waiting = whereIs('shop');
    await aWaitingClient();
    expect(app.events.find(({ name }) => name === 'pooler.held')?.facts.because).toBe('primary-refuses');
    app.say(2, db2);
    expect(await waiting).toBe(db2.address);
    expect(['failed', db2.address]).toContain(await first);
    await app.awaitState('open', (report) => report.term === 2);
  });

  it('and comes back in its place: who waited is served there', async () => {
    const { db1 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const client = await app.connect('shop');
    await client.query('select 1');
    app.say(1, db1, lost(db1));
    await app.awaitState('held');
    await db1.stop('SIGQUIT');
    const waiting = client.query('select 1 as one');
    await aWaitingClient();
    await db1.start();
    app.say(1, db1);
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    await app.awaitState('open');
    await client.end();
  });

  it('does not hold up others by a transaction that it never answers', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const stuck = await app.connect('shop');
    const never = stuck.query('select pg_sleep(600)').catch((error: Error) => error.message);
    await eventually('the statement', 5_000, async () => {
      const rows = await db1.query(
        "select 1 from pg_stat_activity where query like '%pg_sleep(600)' and pid <> pg_backend_pid()",
      );
      return rows.length > 0 ? true : undefined;
    });
    app.say(1, db1, lost(db1));
    await app.awaitState('held');
    const waiting = whereIs('shop');
    await aWaitingClient();
    app.say(2, db2);
    expect(await waiting).toBe(db2.address);
    await db1.stop('SIGQUIT');
    expect(await never).toEqual(expect.any(String));
    await stuck.end().catch(() => undefined);
  });
});

describe('a primary that is frozen while its kernel goes on', () => {
  const busy = async (server: TestServer): Promise<number> => {
    const rows = await server.query(
      "select 1 from pg_stat_activity where usename = 'shop@web1:1' and state = 'active'",
    );
    return rows.length;
  };

  /** Every place of the pool is taken by a statement that db1 will not answer. */
  async function fillPool(): Promise<readonly Promise<string>[]> {
    const clients = await Promise.all(Array.from({ length: 10 }, () => app.connect('shop')));
    const ends = clients.map(async (client) => {
      const said = await client.query('select pg_sleep(600)').then(
        () => 'answered',
        (error: Error) => error.message,
      );
      await client.end().catch(() => undefined);
      return said;
    });
    await eventually('a full pool', 10_000, async () => ((await busy(world.servers.db1)) === 10 ? true : undefined));
    return ends;
  }

  it('holds up nobody who comes to the next one, and whoever asked it hears so', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const ends = await fillPool();
    const reader = await app.connect('shop.db1');
    const read = reader.query('select pg_sleep(600)').catch((error: Error) => error.message);
    db1.signalAll('SIGSTOP');
    try {
      const waiting = whereIs('shop');
      await aWaitingClient();
      app.say(2, db2);
      expect(await waiting).toBe(db2.address);
      for (const said of await Promise.all(ends)) expect(said).toMatch('query timeout');
      // Whoever asked for that very server keeps nobody else waiting.
      expect(await read).toMatch('query timeout');
      await reader.end();
    } finally {
      db1.signalAll('SIGCONT');
      await db1.stop('SIGQUIT');
    }
    await expect
      .poll(() => app.events.filter(({ name }) => name === 'pooler.abandoned').map(({ facts }) => facts), {
        timeout: 5_000,
      })
      .toEqual([{ node: 'web1', primary: 'db1', connections: 10 }]);
    // The limit that ended them is gone again.
    const long = await app.connect('shop');
    expect((await long.query('select 1 as one from pg_sleep(2)')).rows).toEqual([{ one: 1 }]);
    await long.end();
  });

  it('ends nobody else: while another statement is as old, those that hang are left alone', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1, { standbys: [{ ...standby(db2), streaming: true, lagBytes: 0 }] });
    await app.awaitState('open');
    const reader = await app.connect('shop-ro');
    const report = reader.query('select host(inet_server_addr()) as address from pg_sleep(10)');
    const ends = await fillPool();
    app.say(2, db2);
    expect(await whereIs('shop')).toBe(db2.address);
    expect((await report).rows).toEqual([{ address: db2.address }]);
    await reader.end();
    for (const said of await Promise.all(ends)) expect(said).toMatch('query timeout');
    await db1.stop('SIGQUIT'); // its backends sleep on
  });
});

describe('a hold', () => {
  it('outlives the agent, and is ended by the next one', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    app.say(1, db1, lost(db1));
    await app.awaitState('held');
    const waiting = whereIs('shop');
    await aWaitingClient();
    await app.restart();
    await app.awaitState('held');
    app.say(2, db2);
    expect(await waiting).toBe(db2.address);
    await app.awaitState('open', (report) => report.term === 2);
  });

  it('survives the death of the pooler: it comes up shut, and reaches the new primary only', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    app.say(1, db1, lost(db1));
    await app.awaitState('held');
    const before = await app.pooler().observe(1_000);
    if (before.state !== 'running') throw new Error(`the pooler is ${before.state}`);
    process.kill(before.pid, 'SIGKILL');
    await eventually('another process', 10_000, async () => {
      const now = await app.pooler().observe(1_000);
      return now.state === 'running' && now.pid !== before.pid && now.paused.includes('shop') ? true : undefined;
    });
    await app.awaitState('held');
    const waiting = whereIs('shop');
    await aWaitingClient();
    expect(await db1.query("select 1 from pg_stat_activity where usename = 'shop@web1:1'")).toEqual([]);
    app.say(2, db2);
    expect(await waiting).toBe(db2.address);
  });
});

describe('an application that would rather read than wait', () => {
  it('reads from a standby, is refused each write at once, and writes again where the next primary is', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const client = await app.connect('blog');
    await client.query('create table if not exists notes (n int)');
    app.say(1, db1, { ...lost(db1), standbys: [standby(db2)] });
    await app.awaitState('held');
    const { rows }: { rows: unknown[] } = await client.query('select host(inet_server_addr()) as address');
    expect(rows).toEqual([{ address: db2.address }]);
    await expect(client.query('create table t (n int)')).rejects.toMatchObject({ code: '25006' });
    // The other application's writers wait meanwhile.
    const waiting = whereIs('shop');
    await aWaitingClient();
    app.say(2, db2);
    expect(await waiting).toBe(db2.address);
    await app.awaitState('open', (report) => report.term === 2);
    await client.query('create table t (n int)');
    await client.query('drop table t');
    await client.end();
  });

  it('waits like the others when its standby is gone', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    app.say(1, db1, { ...lost(db1), standbys: [standby(db2)] });
    await app.awaitState('held');
    expect(await whereIs('blog')).toBe(db2.address);
    app.say(1, db1, { ...lost(db1), standbys: [] });
    await eventually('both held', 10_000, async () => {
      const now = await app.pooler().observe(1_000);
      return now.state === 'running' && now.paused.length === 2 ? true : undefined;
    });
    app.say(1, db1, { ...lost(db1), standbys: [standby(db2)] });
    await expect.poll(async () => await whereIs('blog'), { timeout: 10_000 }).toBe(db2.address);
    app.say(1, db1);
    await app.awaitState('open');
    expect(await whereIs('blog')).toBe(db1.address);
  });
});

describe('while nobody may write by an order', () => {
  it('everyone is served by a standby, or reads from the primary, and writes again when it is over', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const client = await app.connect('shop');
    const write = async () => await client.query('create temporary table if not exists t (n int)');
    await write();
    const streaming = {
      node: 'db2',
      hostName: 'db2.test.internal',
      address: db2.address,
      port: serverPort,
      timeline: 1,
      datacenter: null,
      streaming: true,
      lagBytes: 0,
    };
    app.say(1, db1, { readOnly: true, standbys: [streaming] });
    await expect.poll(async () => await whereIs('shop'), { timeout: 10_000 }).toBe(db2.address);
    const refused = client.query('create table u (n int)');
    await expect(refused).rejects.toMatchObject({ code: '25006' });
    app.say(1, db1, { readOnly: true });
    await expect.poll(async () => await whereIs('shop'), { timeout: 10_000 }).toBe(db1.address);
    await expect(client.query('create table u (n int)')).rejects.toMatchObject({ code: '25006' });
    app.say(1, db1);
    await expect
      .poll(
        async () =>
          await write().then(
            () => 'written',
            (error: Error) => error.message,
          ),
        { timeout: 10_000 },
      )
      .toBe('written');
    await client.end();
  });
});
