import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dispensableMark } from '../src/core/local-postgres.ts';
import { run } from '../src/process/run.ts';
import { openTestAppNode, pause, poolerPort, type TestAppNode, testConfiguration } from './fixtures/app-node.ts';
import { eventually, openPoolerWorld, type PoolerWorld } from './fixtures/pooler-world.ts';

let world: PoolerWorld;
let app: TestAppNode;
let count = 0;

beforeAll(async () => {
  world = await openPoolerWorld();
}, 60_000);
afterAll(async () => await world.close());

beforeEach(() => {
  count += 1;
  app = openTestAppNode(world, `web${count}`);
});
afterEach(async () => await app.close());

async function pidOfPooler(): Promise<number> {
  const local = await app.pooler().observe(1_000);
  if (local.state !== 'running') throw new Error(`the pooler is ${local.state}`);
  return local.pid;
}

async function whereIs(alias: string): Promise<unknown> {
  const client = await app.connect(alias);
  try {
    const result: { rows: { address: string }[] } = await client.query('select host(inet_server_addr()) as address');
    return result.rows[0]?.address;
  } finally {
    await client.end();
  }
}

describe('a pause', () => {
  it('names the transaction that holds it up, gives up at its limit, and everything goes on', async () => {
    const { db1 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const sleeper = await app.connect('shop', { application_name: 'night-job' });
    await sleeper.query('begin');
    const pid: { rows: { pid: number }[] } = await sleeper.query('select pg_backend_pid() as pid');
    app.say(1, db1, pause('S-1', 1, 1_000));
    const pausing = await app.awaitState('pausing', (report) => report.blockers.length > 0);
    expect(pausing.operation).toBe('S-1');
    expect(pausing.blockers).toMatchObject([{ alias: 'shop', serverPid: pid.rows[0]?.pid }]);
    expect(pausing.blockers[0]?.client).toContain('night-job');
    const open = await app.awaitState('open');
    expect(open.lastPause).toMatchObject({ operation: 'S-1' });
    expect(app.events.map((event) => event.name)).toContain('pooler.pause_failed');
    // The transaction was let be, and others are served again.
    await sleeper.query('commit');
    await sleeper.end();
    expect(await whereIs('blog')).toBe(db1.address);
  });

  it('is taken back while it drains, and harms nobody', async () => {
    const { db1 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const sleeper = await app.connect('shop');
    await sleeper.query('begin');
    app.say(1, db1, pause('S-1', 1));
    await app.awaitState('pausing');
    const waiting = whereIs('blog');
    app.say(1, db1, { ended: 'S-1' });
    await app.awaitState('open', (report) => report.lastPause?.operation === 'S-1');
    expect(await waiting).toBe(db1.address);
    await sleeper.query('commit');
    await sleeper.end();
  });

  it('is not served twice, however late the message is', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1, pause('S-1', 1));
    await app.awaitState('paused');
    app.say(2, db2, { ended: 'S-1' });
    await app.awaitState('open', (report) => report.term === 2);
    app.say(1, db1, pause('S-1', 1));
    app.say(2, db2, pause('S-1', 1));
    expect(await whereIs('shop')).toBe(db2.address);
    expect(app.events.filter((event) => event.name === 'pooler.pausing')).toHaveLength(1);
  });

  it('that somebody made at the console by hand is ended', async () => {
    app.say(1, world.servers.db1);
    await app.awaitState('open');
    const socket = join(world.directory, `web${count}`, 'run');
    const options = { withinMs: 5_000 };
    await run(
      'psql',
      ['-h', socket, '-p', String(poolerPort), '-U', 'pgbouncer', '-c', 'PAUSE blog', 'pgbouncer'],
      options,
    );
    expect(await whereIs('blog')).toBe(world.servers.db1.address);
  });
});

describe('a pooler that was killed', () => {
  it('is started again at once', async () => {
    const { db1 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const before = await pidOfPooler();
    process.kill(before, 'SIGKILL');
    await eventually('another process', 10_000, async () => ((await pidOfPooler()) === before ? undefined : true));
    await app.awaitState('open');
    expect(await whereIs('shop')).toBe(db1.address);
    expect(app.events.filter((event) => event.name === 'pooler.lost')).toHaveLength(1);
  });

  it('in a pause comes up paused, and reaches the new primary only', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    app.say(1, db1, pause('S-1', 1));
    await app.awaitState('paused');
    const before = await pidOfPooler();
    process.kill(before, 'SIGKILL');
    await eventually('another process', 10_000, async () => ((await pidOfPooler()) === before ? undefined : true));
    const paused = await app.awaitState('paused');
    expect(paused.operation).toBe('S-1');
    const waiting = whereIs('shop');
    await eventually('a waiting client', 5_000, async () => {
      const local = await app.pooler().observe(1_000);
      return local.state === 'running' && local.waiting > 0 ? true : undefined;
    });
    expect(await db1.query("select 1 from pg_stat_activity where usename = 'shop@web1:1'")).toEqual([]);
    app.say(2, db2, { ended: 'S-1' });
    expect(await waiting).toBe(db2.address);
    await app.awaitState('open', (report) => report.term === 2);
  });
});

describe('an agent that was started again', () => {
  it('in a pause goes on with it, and ends it', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const before = await pidOfPooler();
    app.say(1, db1, pause('S-1', 1));
    await app.awaitState('paused');
    const waiting = whereIs('shop');
    await app.restart();
    const paused = await app.awaitState('paused');
    expect(paused.operation).toBe('S-1');
    expect(await pidOfPooler()).toBe(before);
    expect(await db1.query("select 1 from pg_stat_activity where usename = 'shop@web1:1'")).toEqual([]);
    app.say(2, db2, { ended: 'S-1' });
    expect(await waiting).toBe(db2.address);
    await app.awaitState('open', (report) => report.lastPause?.operation === 'S-1');
  });

  it('keeps the term, the pooler and its clients', async () => {
    const { db1, db2 } = world.servers;
    app.say(7, db2);
    await app.awaitState('open');
    const client = await app.connect('shop');
    await client.query('select 1');
    const before = await pidOfPooler();
    app.say(6, db1);
    await app.restart();
    await app.awaitState('open');
    expect(await pidOfPooler()).toBe(before);
    expect(app.node().report()).toMatchObject({ term: 7, primary: 'db2' });
    expect((await client.query('select 1')).rows).toHaveLength(1);
    await client.end();
  });
});

describe('an application', () => {
  it('has its own password, in files of nobody else', async () => {
    app.say(1, world.servers.db1);
    await app.awaitState('open');
    for (const name of ['shop', 'blog']) expect(statSync(app.passfile(name)).mode & 0o777).toBe(0o600);
    const userlist = readFileSync(join(app.state, 'pgbouncer', 'userlist.txt'), 'utf8');
    const password = readFileSync(app.passfile('shop'), 'utf8').trim().split(':').at(-1);
    expect(userlist).toContain('"shop" "SCRAM-SHA-256$');
    expect(userlist).not.toContain(password);
    await expect(app.connect('shop', { password: 'guess' })).rejects.toThrow(/authentication failed/);
  });

  it('reads from a standby while there is one, and else from the primary', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    expect(await whereIs('shop-ro')).toBe(db1.address);
    const standby = {
      node: 'db2',
      hostName: 'db2.test.internal',
      address: db2.address,
      port: 5432,
      timeline: 1,
      datacenter: null,
    };
    app.say(1, db1, { standbys: [{ ...standby, streaming: true, lagBytes: 0 }] });
    await expect.poll(async () => await whereIs('shop-ro'), { timeout: 5_000 }).toBe(db2.address);
    expect(await whereIs('shop')).toBe(db1.address);
    app.say(1, db1, { standbys: [] });
    await expect.poll(async () => await whereIs('shop-ro'), { timeout: 5_000 }).toBe(db1.address);
  });

  it.each(['transaction', 'session'] as const)(
    'reads from each node by name, in %s pools too, and never writes there',
    async (mode) => {
      const { db1, db2 } = world.servers;
      const configured = testConfiguration(1);
      app.say(1, db1, {}, { ...configured, poolers: { ...configured.poolers, mode } });
      await app.awaitState('open');
      for (const server of [db1, db2]) {
        // The second client has the session of the first.
        for (const _ of ['first', 'second']) {
          const client = await app.connect(`shop.${server.name}`);
          const write = client.query('create table written (n int)');
          await expect(write).rejects.toMatchObject({ code: '25006' });
          const { rows } = await client.query('select host(inet_server_addr()) as address');
          expect(rows).toEqual([{ address: server.address }]);
          await client.end();
        }
      }
    },
  );

  it('has nobody wait for what it reads from the primary by name', async () => {
    const { db1, db2 } = world.servers;
    app.say(1, db1);
    await app.awaitState('open');
    const client = await app.connect('shop.db1');
    await client.query('begin');
    const [marked] = await db1.query(
      `select count(*)::int as sessions from pg_locks where classid = ${dispensableMark.classId} and objid = ${dispensableMark.objectId}`,
    );
    expect(marked).toEqual({ sessions: 1 });
    app.say(1, db1, pause('S1', 1));
    await app.awaitState('paused');
    app.say(2, db2, { ended: 'S1' });
    await app.awaitState('open', ({ primary }) => primary === 'db2');
    // The transaction went on all the while, and so does the alias.
    const { rows } = await client.query('select host(inet_server_addr()) as address');
    expect(rows).toEqual([{ address: db1.address }]);
    await client.query('commit');
    await client.end();
    expect(await whereIs('shop.db1')).toBe(db1.address);
  });
});

it('says when its port is taken, and goes on once it is free', async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(poolerPort, world.poolerAddress, resolve));
  app.say(1, world.servers.db1);
  const down = await app.awaitState('down', (report) => report.trouble !== null);
  expect(down.trouble).toContain(`can't listen on ${world.poolerAddress}:${poolerPort}`);
  await new Promise((resolve) => squatter.close(resolve));
  const open = await app.awaitState('open');
  expect(open.trouble).toBeNull();
});
