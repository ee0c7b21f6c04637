/** @understudy/client on a primary and two standbys: where reads go, and what they see. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ClusterPool, leastLag, weighted } from '@understudy/client';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endClusterPools, Heard, isRoute, openClusterPool, reach } from './fixtures/cluster-pools.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let db2: TestNode;
let db3: TestNode;
let admin: Map<string, pg.Pool>;

/** By hand, past what is tested. */
async function sql(node: TestNode, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const pool = admin.get(node.name);
  if (pool === undefined) throw new Error(`no pool for ${node.name}`);
  return (await pool.query(text, values)).rows;
}

/** Its replay stands still until `resume`. */
async function holdReplay(node: TestNode): Promise<void> {
  await sql(node, 'SELECT pg_wal_replay_pause()');
  await until(`replay of ${node.name} is paused`, async () => {
    const [row] = await sql(node, 'SELECT pg_get_wal_replay_pause_state() AS state');
    return row?.state === 'paused';
  });
}

async function resumeReplay(node: TestNode): Promise<void> {
  await sql(node, 'SELECT pg_wal_replay_resume()');
}

beforeAll(async () => {
  ({ db1, db2, db3 } = await servers.replicate({ nodes: ['db1', 'db2', 'db3'] }));
  admin = new Map([db1, db2, db3].map((node) => [node.name, new pg.Pool({ ...reach(node), max: 2 })]));
  await sql(db1, 'CREATE TABLE notes (id bigint PRIMARY KEY, text text)');
}, 120_000);
afterEach(endClusterPools);

const heard = new Heard(isRoute);
const routes = heard.events;
beforeEach(() => {
  routes.length = 0;
  subscribe('understudy:route', heard.listener);
});
afterEach(() => unsubscribe('understudy:route', heard.listener));
afterAll(async () => {
  for (const pool of admin.values()) await pool.end();
});

const whereAmI = "SELECT pg_is_in_recovery() AS standby, current_setting('cluster_name') AS name";

async function readers(db: ClusterPool, times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < times; n += 1) {
    const { rows } = await db.read().query<{ name: string }>(whereAmI);
    const name = rows[0]?.name ?? '';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

let id = 0;
function nextId(): number {
  id += 1;
  return id;
}

describe('where reads go', () => {
  it('is a replica only when asked', async () => {
    const db = openClusterPool(db1, [db2, db3]);
    expect((await db.query(whereAmI)).rows[0].standby).toBe(false);
    expect((await db.read().query(whereAmI)).rows[0]?.standby).toBe(true);
  });

  it('is each replica in turn', async () => {
    const db = openClusterPool(db1, [db2, db3]);
    expect(await readers(db, 10)).toEqual({ db2: 5, db3: 5 });
  });

  it('is by weight, the primary with the least', async () => {
    const db = openClusterPool(db1, [db1, db2, db3], { router: weighted({ primary: 1, db2: 2, db3: 4 }) });
    const counts = await readers(db, 700);
    expect(Object.keys(counts).sort()).toEqual(['db1', 'db2', 'db3']);
    expect(counts.db3).toBeGreaterThan(counts.db2 ?? 0);
    expect(counts.db2).toBeGreaterThan(counts.db1 ?? 0);
  });

  it('is the primary without replicas, by the same API', async () => {
    const db = openClusterPool(db1, []);
    expect((await db.read().query(whereAmI)).rows).toEqual([{ standby: false, name: 'db1' }]);
    expect(await db.reading(async (r) => (await r.query(whereAmI)).rows[0]?.name)).toBe('db1');
  });

  it('is told to whoever listens, with the reason', async () => {
    const db = openClusterPool(db1, [db2]);
    await db.read().query('SELECT 1');
    expect(routes).toEqual([
      expect.objectContaining({ server: 'db2', role: 'replica', because: 'chosen', error: null }),
    ]);
    const { candidates, first } = await db.explainRoute();
    expect(first).toBe('db2');
    expect(candidates.map(({ name }) => name)).toEqual(['db2']);
  });
});

describe('a read that writes', () => {
  it.each(['startup', 'transaction'] as const)('fails on a replica and on the primary (guard: %s)', async (guard) => {
    const db = openClusterPool(db1, [], {
      replicas: { here: { ...reach(db1), guard }, there: { ...reach(db2), guard } },
      router: weighted({ primary: 1, here: 1, there: 1 }),
    });
    for (let n = 0; n < 8; n += 1) {
      await expect(db.read().query('INSERT INTO notes VALUES ($1)', [nextId()])).rejects.toMatchObject({
        code: '25006',
      });
    }
    await expect(db.reading((r) => r.query('DELETE FROM notes'))).rejects.toMatchObject({ code: '25006' });
  });

  it('fails on the primary where there are no replicas', async () => {
    const db = openClusterPool(db1, []);
    await expect(db.read().query('INSERT INTO notes VALUES ($1)', [nextId()])).rejects.toMatchObject({ code: '25006' });
  });
});

describe('a replica that lags', () => {
  afterEach(() => resumeReplay(db2));

  it('serves nobody who bounds the lag, and comes back by itself', async () => {
    const db = openClusterPool(db1, [db2, db3], { router: leastLag() });
    await readers(db, 2);
    await holdReplay(db2);
    await db.query('INSERT INTO notes VALUES ($1)', [nextId()]);
    const isOut = async () => {
      const { unfit } = await db.explainRoute({ maxLagMs: 150 });
      return unfit.some(({ name, because }) => name === 'db2' && because === 'lags-too-long');
    };
    await until('db2 is out of the pool', isOut);
    const bounded = db.read({ maxLagMs: 150 });
    for (let n = 0; n < 10; n += 1) expect((await bounded.query(whereAmI)).rows[0]?.name).toBe('db3');
    await resumeReplay(db2);
    await until('db2 is back', async () => !(await isOut()));
  });

  it('bounded in bytes as well', async () => {
    const db = openClusterPool(db1, [db2, db3]);
    await holdReplay(db2);
    await db.query('INSERT INTO notes SELECT g, repeat($2, 200) FROM generate_series($1::int, $1::int + 999) g', [
      1_000_000 + nextId() * 1_000,
      'x',
    ]);
    await until('db2 is out of the pool', async () => {
      const { unfit } = await db.explainRoute({ maxLagBytes: 10_000 });
      return unfit.some(({ name, because }) => name === 'db2' && because === 'lags-too-much');
    });
  });
});

describe('a session', () => {
  afterEach(() => Promise.all([resumeReplay(db2), resumeReplay(db3)]));

  it.each(['query', 'connect', 'tx'] as const)('sees what it wrote by %s, whatever replicas lack', async (way) => {
    const db = openClusterPool(db1, [db2, db3]);
    await readers(db, 2);
    await holdReplay(db2);
    for (let n = 0; n < 20; n += 1) {
      const written = nextId();
      const text = 'INSERT INTO notes VALUES ($1)';
      const seen = await db.session(null, async () => {
        if (way === 'query') await db.query(text, [written]);
        if (way === 'tx') await db.tx((t) => t.query(text, [written]));
        if (way === 'connect') {
          const client = await db.connect();
          await client.query(text, [written]);
          client.release();
        }
        return (await db.read().query('SELECT id FROM notes WHERE id = $1', [written])).rowCount;
      });
      expect(seen).toBe(1);
    }
    expect(routes.slice(2).map(({ server }) => server)).not.toContain('db2');
    expect(routes.slice(2).map(({ because }) => because)).toContain('has-the-writes');
  });

  it('goes on with its token, and reads the primary while nobody else has it', async () => {
    const db = openClusterPool(db1, [db2, db3]);
    await Promise.all([holdReplay(db2), holdReplay(db3)]);
    const written = nextId();
    const token = await db.session(null, async (session) => {
      await db.query('INSERT INTO notes VALUES ($1)', [written]);
      return await session.token();
    });
    const count = 'SELECT id FROM notes WHERE id = $1';
    expect((await db.read().query(count, [written])).rowCount).toBe(0);
    expect(await db.session(token, async () => (await db.read().query(count, [written])).rowCount)).toBe(1);
    expect(routes.at(-1)).toMatchObject({ server: 'primary', because: 'no-replica-has-the-writes' });
    const any = db.session(token, async () => await db.read({ consistency: 'any' }).query(count, [written]));
    expect((await any).rowCount).toBe(0);
    await resumeReplay(db3);
    await until('db3 serves it', async () => {
      await db.session(token, async () => await db.read().query(count, [written]));
      return routes.at(-1)?.server === 'db3';
    });
  });

  it('asks nobody where it is when it asks for no reads', async () => {
    const db = openClusterPool(db1, [db2]);
    const before = db.totalCount;
    await db.session(null, async () => await db.query('INSERT INTO notes VALUES ($1)', [nextId()]));
    expect(db.totalCount - before).toBe(1);
    expect(routes).toEqual([]);
  });

  it('that is pinned by time reads the primary, and no longer than that', async () => {
    const db = openClusterPool(db1, [db2], { consistency: { pinForMs: 300 } });
    await db.session(null, async (session) => {
      await db.read().query('SELECT 1');
      expect(routes.at(-1)?.because).toBe('chosen');
      await db.query('INSERT INTO notes VALUES ($1)', [nextId()]);
      const token = await session.token();
      await db.session(token, async () => await db.read().query('SELECT 1'));
      expect(routes.at(-1)).toMatchObject({ role: 'primary', because: 'pinned' });
      await until('the pin is over', async () => {
        await db.session(token, async () => await db.read().query('SELECT 1'));
        return routes.at(-1)?.because === 'chosen';
      });
    });
  });
});

describe('reading', () => {
  it('sees one state where it asks for one', async () => {
    const db = openClusterPool(db1, [db2]);
    const written = nextId();
    const counts = await db.reading(
      async (r) => {
        const count = 'SELECT count(*)::int AS n FROM notes WHERE id = $1';
        const before = await r.query(count, [written]);
        await db.query('INSERT INTO notes VALUES ($1)', [written]);
        await until('the replica has it', async () => (await sql(db2, count, [written]))[0]?.n === 1);
        return [before.rows[0]?.n, (await r.query(count, [written])).rows[0]?.n];
      },
      { isolation: 'repeatable read' },
    );
    expect(counts).toEqual([0, 0]);
  });

  it('passes on what its function throws, once', async () => {
    const db = openClusterPool(db1, [db2, db3]);
    let runs = 0;
    const mine = new Error('mine');
    await expect(
      db.reading(async () => {
        runs += 1;
        throw mine;
      }),
    ).rejects.toBe(mine);
    expect(runs).toBe(1);
    await expect(db.read().query('SELECT nothing')).rejects.toMatchObject({ code: '42703' });
  });
});
