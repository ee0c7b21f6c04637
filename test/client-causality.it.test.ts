/** Attempts to have a session of @understudy/client shown a time before its own writes. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:net';
import { type Candidate, type ClusterPool, RouterError } from '@understudy/client';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endClusterPools, Heard, isRoute, openClusterPool, reach } from './fixtures/cluster-pools.ts';
import { type CuttingProxy, startCuttingProxy } from './fixtures/cutting-proxy.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let db2: TestNode;
let admin: pg.Pool;
let onDb2: pg.Pool;
let proxy: CuttingProxy;

beforeAll(async () => {
  ({ db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] }));
  admin = new pg.Pool({ ...reach(db1), max: 2 });
  onDb2 = new pg.Pool({ ...reach(db2), max: 2 });
  for (const pool of [admin, onDb2]) pool.on('error', () => undefined);
  proxy = await startCuttingProxy(db1);
  await admin.query('CREATE TABLE notes (id bigint PRIMARY KEY)');
  await until('db2 has it', async () => (await onDb2.query("SELECT to_regclass('notes') AS t")).rows[0].t !== null);
}, 120_000);
afterAll(async () => {
  await proxy?.close();
  await admin?.end();
  await onDb2?.end();
});
afterEach(endClusterPools);

const heard = new Heard(isRoute);
beforeEach(() => {
  heard.events.length = 0;
  subscribe('understudy:route', heard.listener);
});
afterEach(() => unsubscribe('understudy:route', heard.listener));

const insert = 'INSERT INTO notes VALUES ($1)';
const find = 'SELECT id FROM notes WHERE id = $1';
let id = 0;
beforeEach(() => {
  id += 1;
});

async function seen(db: ClusterPool): Promise<number | null> {
  return (await db.read().query(find, [id])).rowCount;
}

describe('while its replica stands still, a session sees', () => {
  let db: ClusterPool;
  beforeEach(async () => {
    db = openClusterPool(db1, [db2]);
    await db.read().query('SELECT 1');
    await onDb2.query('SELECT pg_wal_replay_pause()');
    await until('it stands', async () => {
      return (await onDb2.query('SELECT pg_get_wal_replay_pause_state() AS s')).rows[0].s === 'paused';
    });
  });
  afterEach(async () => {
    await onDb2.query('SELECT pg_wal_replay_resume()');
  });

  it('its write in each of many reads at once', async () => {
    const counts = await db.session(null, async () => {
      await db.query(insert, [id]);
      return await Promise.all(Array.from({ length: 20 }, () => seen(db)));
    });
    expect(new Set(counts)).toEqual(new Set([1]));
  });

  it('a write that ended while another read asked', async () => {
    await db.session(null, async () => {
      for (let n = 0; n < 30; n += 1) {
        id = 1_000 + id + 1;
        const other = db.query('SELECT 1').then(() => seen(db));
        await db.query(insert, [id]);
        expect(await seen(db)).toBe(1);
        await other;
      }
    });
  });

  it('what was written by a connection that it still holds, also after one was given back twice', async () => {
    await db.session(null, async () => {
      const client = await db.connect();
      client.release();
      expect(() => client.release()).toThrow('already been released');
      const held = await db.connect();
      await held.query(insert, [id]);
      expect(await seen(db)).toBe(1);
      id += 1;
      await held.query(insert, [id]);
      expect(await seen(db)).toBe(1);
      held.release();
    });
  });

  it('what a session within it wrote', async () => {
    await db.session(null, async () => {
      await db.session(null, async () => await db.query(insert, [id]));
      expect(await seen(db)).toBe(1);
      id += 1;
      await db.session(null, async () => await db.tx((t) => t.query(insert, [id])), { consistency: 'any' });
      expect(await seen(db)).toBe(1);
    });
  });

  it('a transaction of which nobody knows, once it is there', async () => {
    const cut = openClusterPool(db1, [db2], proxy.config);
    await cut.read().query('SELECT 1');
    await cut.session(null, async () => {
      proxy.cut('COMMIT', 'after');
      await expect(cut.tx((t) => t.query(insert, [id]))).rejects.toMatchObject({ outcome: 'unknown' });
      await until('it is there', async () => (await admin.query(find, [id])).rowCount === 1);
      expect(await seen(cut)).toBe(1);
    });
  });

  it('what it wrote, by a token that was made while the primary did not answer', async () => {
    const cut = openClusterPool(db1, [db2], { ...proxy.config, max: 1 });
    await cut.read().query('SELECT 1');
    const token = await cut.session(null, async (session) => {
      await cut.query(insert, [id]);
      proxy.cut('pg_walfile_name', 'after');
      return await session.token();
    });
    expect(await db.session(token, () => seen(db))).toBe(1);
    expect(heard.events.at(-1)).toMatchObject({ role: 'primary' });
  });

  it('its pinned write for as long as it holds the connection', async () => {
    const pinned = openClusterPool(db1, [db2], { consistency: { pinForMs: 1 } });
    await pinned.session(null, async () => {
      const held = await pinned.connect();
      await held.query(insert, [id]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await seen(pinned)).toBe(1);
      held.release();
    });
  });
});

describe('a router', () => {
  it('that answers copies ends, when the server that it means is gone', async () => {
    const copying = {
      name: 'copying',
      choose: ([first]: readonly Candidate[]) => (first === undefined ? undefined : { ...first }),
    };
    const db = openClusterPool(db1, [], { replicas: { there: { ...reach(db2), max: 1 } }, router: copying });
    await db.read().query('SELECT 1');
    expect(heard.events.at(-1)).toMatchObject({ server: 'there' });
    let runs = 0;
    const name = await db.reading(async (r) => {
      runs += 1;
      const { rows } = await r.query("SELECT pg_backend_pid() AS pid, current_setting('cluster_name') AS name");
      if (rows[0]?.name === 'db2') await onDb2.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
      await r.query('SELECT 1');
      return rows[0]?.name;
    });
    expect([name, runs]).toEqual(['db1', 2]);
  });

  it('that throws, or answers nonsense, is named, or passed over', async () => {
    const throwing = openClusterPool(db1, [db2], {
      router: {
        name: 'mine',
        choose() {
          throw new Error('no');
        },
      },
    });
    // The second goes the straight way, since all servers are measured by then.
    for (const _ of ['first', 'second']) {
      const read = throwing.read();
      expect(() => read.query('SELECT 1').catch(() => undefined)).not.toThrow();
      await expect(read.query('SELECT 1')).rejects.toBeInstanceOf(RouterError);
    }
    const nonsense = { name: 'nonsense', choose: () => JSON.parse('{"name":"nobody"}') };
    const db = openClusterPool(db1, [db2], { router: nonsense });
    expect((await db.read().query('SELECT pg_is_in_recovery() AS standby')).rows).toEqual([{ standby: false }]);
  });
});

describe('a replica', () => {
  it('is not given up for a mistake of its caller', async () => {
    const db = openClusterPool(db1, [db2]);
    await db.read().query('SELECT 1');
    const wrong = {
      toPostgres() {
        throw new Error('no text');
      },
    };
    await expect(db.read().query('SELECT $1::text', [wrong])).rejects.toThrow('no text');
    await expect(db.reading((r) => r.query('SELECT $1::text', [wrong]))).rejects.toThrow('no text');
    expect((await db.explainRoute()).unfit).toEqual([]);
    expect(heard.events.map(({ server }) => server)).toEqual(['db2', 'db2', 'db2']);
  });

  it('that dies within a function that reads ends no process, and another one serves', async () => {
    const db = openClusterPool(db1, [db2]);
    const answer = await db.reading(async (r) => {
      const { rows } = await r.query('SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS standby');
      if (rows[0]?.standby === true) {
        await onDb2.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return (await r.query('SELECT pg_is_in_recovery() AS standby')).rows[0]?.standby;
    });
    expect(answer).toBe(false);
  });

  it('that is no PostgreSQL, never answers, or refuses the password, leaves reads to others', async () => {
    const says = createServer((socket) =>
      socket.on('error', () => undefined).write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    const silent = createServer((socket) => socket.on('error', () => undefined));
    const ports = await Promise.all(
      [says, silent].map(async (server) => {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const address = server.address();
        return typeof address === 'object' && address !== null ? address.port : 0;
      }),
    );
    const db = openClusterPool(db1, [db2], {
      replicas: {
        web: `postgres://someone@127.0.0.1:${ports[0]}/postgres`,
        silent: `postgres://someone@127.0.0.1:${ports[1]}/postgres`,
        stranger: { ...reach(db2), user: 'nobody' },
        good: reach(db2),
      },
    });
    for (let n = 0; n < 8; n += 1) await db.read().query('SELECT 1');
    expect(new Set(heard.events.map(({ server }) => server))).toEqual(new Set(['good']));
    says.close();
    silent.close();
  });

  it('with no connection left for the question keeps the reads under way', async () => {
    let isFull = false;
    class Refused extends pg.Client {
      constructor(config?: string | pg.ClientConfig) {
        super(config);
        // The meter's, by what it alone asks for.
        if (!isFull || typeof config !== 'object' || config.keepAlive !== true) return;
        const full = new pg.DatabaseError('too many clients already', 0, 'error');
        full.code = '53300';
        this.connect = () => Promise.reject(full);
        refusals += 1;
      }
    }
    let refusals = 0;
    const db = openClusterPool(db1, [], { replicas: { full: { ...reach(db2), Client: Refused } }, probeEveryMs: 50 });
    await db.read().query('SELECT 1');
    isFull = true;
    const working = db.read().query('SELECT pg_is_in_recovery() AS standby, pg_sleep(1)');
    await onDb2.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_is_in_recovery() AS standby,%lsn%'",
    );
    expect((await working).rows).toMatchObject([{ standby: true }]);
    expect(refusals).toBeGreaterThan(3);
  });

  it('by a URL with options of its own only reads all the same', async () => {
    const { host, port, user } = reach(db1);
    const url = `postgres://${user}@x/postgres?host=${encodeURIComponent(String(host))}&port=${port}&options=-c%20work_mem%3D1MB`;
    const db = openClusterPool(db1, [], { replicas: { here: url }, router: { name: 'first', choose: ([c]) => c } });
    await expect(db.read().query(insert, [id])).rejects.toMatchObject({ code: '25006' });
    expect(heard.events.at(-1)).toMatchObject({ server: 'here' });
    expect((await db.read().query('SHOW work_mem')).rows).toEqual([{ work_mem: '1MB' }]);
  });

  it('by a URL without a login has that of the pool', async () => {
    const { host, port } = reach(db2);
    const url = `postgres://x?host=${encodeURIComponent(String(host))}&port=${port}`;
    const db = openClusterPool(db1, [], { replicas: { there: url } });
    await db.read().query('SELECT 1');
    expect(heard.events.at(-1)).toMatchObject({ server: 'there' });
  });
});
