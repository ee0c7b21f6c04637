/**
 * What `pg.Pool` is documented to do (node-postgres.com: "pg.Pool", "Pooling"), asked of it and of ClusterPool alike: the
 * same exam for three of them.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { fileURLToPath } from 'node:url';
import { ClusterPool } from '@understudy/client';
import pg, { type PoolConfig } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../src/process/run.ts';
import { reach } from './fixtures/cluster-pools.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let admin: pg.Client;
beforeAll(async () => {
  ({ db1 } = await servers.replicate({ nodes: ['db1'] }));
  admin = new pg.Client(reach(db1));
  await admin.connect();
}, 120_000);
afterAll(async () => await admin?.end());

interface Examined {
  readonly name: string;
  make(config: PoolConfig): pg.Pool;
  /** In what the exam is done. */
  within(pool: pg.Pool, work: () => Promise<void>): Promise<void>;
}

const examined: readonly Examined[] = [
  { name: 'pg.Pool', make: (config) => new pg.Pool(config), within: (_, work) => work() },
  { name: 'ClusterPool', make: (config) => new ClusterPool(config), within: (_, work) => work() },
  {
    name: 'ClusterPool within a session',
    make: (config) => new ClusterPool({ ...config, replicas: { other: reach(db1) } }),
    within: async (pool, work) => {
      if (pool instanceof ClusterPool) await pool.session(null, work);
    },
  },
];

describe.each(examined)('$name', ({ make, within }) => {
  const opened: pg.Pool[] = [];
  const open = (config: PoolConfig = {}): pg.Pool => {
    const pool = make({ ...reach(db1), ...config });
    opened.push(pool);
    return pool;
  };
  afterEach(async () => {
    for (const pool of opened.splice(0)) if (!pool.ending) await pool.end();
  });
  const exam = async (config: PoolConfig, work: (pool: pg.Pool) => Promise<void>): Promise<void> => {
    const pool = open(config);
    await within(pool, () => work(pool));
  };

  it('is a pg.Pool, also by its name', () => {
    const pool = open();
    expect(pool).toBeInstanceOf(pg.Pool);
    expect(pool.constructor.name).toContain('Pool');
  });

  it('connects to nobody before it is asked', () => exam({}, async (pool) => expect(pool.totalCount).toBe(0)));

  it('answers a query with a promise, with and without values, and by a configuration', () =>
    exam({}, async (pool) => {
      expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      expect((await pool.query('SELECT $1::int AS n', [2])).rows).toEqual([{ n: 2 }]);
      expect((await pool.query({ text: 'SELECT $1::int AS n', values: [3], rowMode: 'array' })).rows).toEqual([[3]]);
      expect((await pool.query({ name: 'named', text: 'SELECT 4 AS n' })).rows).toEqual([{ n: 4 }]);
    }));

  it('answers a query by a callback', () =>
    exam({}, async (pool) => {
      const rows = await new Promise((resolve, reject) => {
        pool.query('SELECT $1::int AS n', [5], (error, result) => (error ? reject(error) : resolve(result.rows)));
      });
      expect(rows).toEqual([{ n: 5 }]);
      const error = await new Promise((resolve) => pool.query('SELECT nothing', (caught) => resolve(caught)));
      expect(error).toMatchObject({ code: '42703' });
    }));

  it('rejects with what the server said, and gives that connection up', () =>
    exam({}, async (pool) => {
      await expect(pool.query('SELECT nothing')).rejects.toBeInstanceOf(pg.DatabaseError);
      await until('it is given up', async () => pool.totalCount === 0);
    }));

  it('hands out a client, and takes it back', () =>
    exam({}, async (pool) => {
      const client = await pool.connect();
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 0, 0]);
      expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      client.release();
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
      expect(await pool.connect()).toBe(client);
      client.release(true);
      await until('it is destroyed', async () => pool.totalCount === 0);
    }));

  it('hands out a client by a callback, with what gives it back', () =>
    exam({}, async (pool) => {
      await new Promise<void>((resolve, reject) => {
        pool.connect((error, client, done) => {
          if (error !== undefined || client === undefined) {
            reject(error);
            return;
          }
          client.query('SELECT 1', () => {
            done();
            resolve();
          });
        });
      });
      expect(pool.idleCount).toBe(1);
    }));

  it('lets nobody release a client twice', () =>
    exam({}, async (pool) => {
      const client = await pool.connect();
      client.release();
      expect(() => client.release()).toThrow('already been released');
      const again = await pool.connect();
      again.release();
      expect(pool.idleCount).toBe(1);
    }));

  it('has at most `max` clients, and lets others wait in turn', () =>
    exam({ max: 2 }, async (pool) => {
      const held = [await pool.connect(), await pool.connect()];
      const order: number[] = [];
      const waiting = [1, 2, 3].map(async (n) => {
        const client = await pool.connect();
        order.push(n);
        client.release();
      });
      await until('three wait', async () => pool.waitingCount === 3);
      expect(pool.totalCount).toBe(2);
      for (const client of held) client.release();
      await Promise.all(waiting);
      expect(order).toEqual([1, 2, 3]);
    }));

  it('gives up waiting after connectionTimeoutMillis', () =>
    exam({ max: 1, connectionTimeoutMillis: 100 }, async (pool) => {
      const client = await pool.connect();
      await expect(pool.connect()).rejects.toThrow('timeout exceeded when trying to connect');
      client.release();
    }));

  it('ends idle clients after idleTimeoutMillis', () =>
    exam({ idleTimeoutMillis: 50 }, async (pool) => {
      await pool.query('SELECT 1');
      await until('it is gone', async () => pool.totalCount === 0);
    }));

  it('uses a client at most maxUses times', () =>
    exam({ maxUses: 2, max: 1 }, async (pool) => {
      const pids: number[] = [];
      for (let n = 0; n < 4; n += 1) pids.push((await pool.query('SELECT pg_backend_pid() AS pid')).rows[0].pid);
      expect(new Set(pids).size).toBe(2);
    }));

  it('calls onConnect once for each new client', () => {
    let calls = 0;
    const onConnect = (): void => {
      calls += 1;
    };
    return exam({ onConnect }, async (pool) => {
      await pool.query('SELECT 1');
      await pool.query('SELECT 1');
      expect(calls).toBe(1);
    });
  });

  it('tells connect, acquire, release and remove, each with the client', () =>
    exam({}, async (pool) => {
      const told: string[] = [];
      pool.on('connect', () => told.push('connect'));
      pool.on('acquire', () => told.push('acquire'));
      pool.on('release', () => told.push('release'));
      pool.on('remove', () => told.push('remove'));
      const client = await pool.connect();
      client.release();
      (await pool.connect()).release(true);
      await until('it is removed', async () => told.includes('remove'));
      expect(told).toEqual(['connect', 'acquire', 'release', 'acquire', 'release', 'remove']);
    }));

  it('tells `error` when an idle client dies, and goes on', () =>
    exam({}, async (pool) => {
      const { pid } = (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0];
      const died = new Promise((resolve) => pool.on('error', (error, client) => resolve([error, client])));
      await admin.query('SELECT pg_terminate_backend($1)', [pid]);
      expect(await died).toEqual([expect.objectContaining({ code: '57P01' }), expect.any(pg.Client)]);
      expect(pool.totalCount).toBe(0);
      expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    }));

  it('rejects the query under way when its connection dies, and goes on', () =>
    exam({ max: 1 }, async (pool) => {
      // Heard from the beginning: it may be rejected before the termination is answered.
      const refused = expect(pool.query('SELECT pg_sleep(30)')).rejects.toMatchObject({ code: '57P01' });
      const pid = await until('it sleeps', async () => {
        const { rows } = await admin.query("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'");
        return rows[0]?.pid;
      });
      await admin.query('SELECT pg_terminate_backend($1)', [pid]);
      await refused;
      expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    }));

  it('ends once its clients are back, and takes no more queries', () =>
    exam({}, async (pool) => {
      const client = await pool.connect();
      const ended = pool.end();
      await expect(pool.query('SELECT 1')).rejects.toThrow('after calling end');
      await expect(pool.connect()).rejects.toThrow('after calling end');
      expect([pool.ending, pool.ended]).toEqual([true, false]);
      client.release();
      await ended;
      expect(pool.ended).toBe(true);
      await expect(pool.end()).rejects.toThrow('more than once');
    }));

  it('ends by a callback', () => exam({}, (pool) => new Promise<void>((resolve) => pool.end(resolve))));

  it("keeps the caller's own context", () =>
    exam({}, async (pool) => {
      const storage = new AsyncLocalStorage<string>();
      await storage.run('mine', async () => {
        await pool.query('SELECT 1');
        expect(storage.getStore()).toBe('mine');
      });
    }));
});

/** Runs a program of its own; answers what it said on standard error, '' when it ended well. */
async function troubleOf(script: string): Promise<string> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { code, stderr } = await run(process.execPath, args, { withinMs: 60_000, anyExit: true, cwd });
  return code === 0 ? '' : `exit code ${code}: ${stderr}`;
}

it('is one that ends a process by an idle client that died: pg.Pool, and not ClusterPool', async () => {
  const dying = (made: string): string => `
    import pg from 'pg';
    import { ClusterPool } from '@understudy/client';
    const config = ${JSON.stringify(reach(db1))};
    const pool = ${made};
    const { pid } = (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0];
    const other = new pg.Client(config);
    await other.connect();
    await other.query('SELECT pg_terminate_backend($1)', [pid]);
    await other.end();
    while (pool.totalCount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await pool.end();`;
  expect(await troubleOf(dying('new pg.Pool(config)'))).toContain('57P01');
  expect(await troubleOf(dying('new ClusterPool(config)'))).toBe('');
});

it('lets a process end that has one with allowExitOnIdle, also one that has read from replicas', async () => {
  const script = `
    import { ClusterPool } from '@understudy/client';
    const config = ${JSON.stringify({ ...reach(db1), allowExitOnIdle: true })};
    const pool = new ClusterPool({ ...config, replicas: { here: config } });
    await pool.query('SELECT 1');
    await pool.read().query('SELECT 1');`;
  expect(await troubleOf(script)).toBe('');
});
