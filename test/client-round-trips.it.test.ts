/** How many round trips @understudy/client takes, beside a hand-written transaction on `pg.Pool`. */
import type { ClusterPool } from '@understudy/client';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endClusterPools, openClusterPool, reach } from './fixtures/cluster-pools.ts';
import type { TestNode } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let db2: TestNode;
let bare: pg.Pool;

beforeAll(async () => {
  ({ db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] }));
  bare = new pg.Pool({ ...reach(db1), max: 1 });
  await bare.query('CREATE TABLE notes (id bigint PRIMARY KEY)');
}, 120_000);
afterEach(endClusterPools);
afterAll(async () => await bare?.end());

/** The server is ready for the next once for each round trip; those of logins are counted before. */
async function counted(pool: pg.Pool, work: () => Promise<unknown>): Promise<number> {
  let trips = 0;
  const client = await pool.connect();
  const count = (): void => {
    trips += 1;
  };
  client.connection.on('readyForQuery', count);
  client.release();
  await work();
  client.connection.off('readyForQuery', count);
  return trips;
}

let id = 0;
const insert = 'INSERT INTO notes VALUES ($1)';
function nextId(): number {
  id += 1;
  return id;
}

async function byHand(): Promise<void> {
  const client = await bare.connect();
  await client.query('BEGIN');
  await client.query(insert, [nextId()]);
  await client.query('COMMIT');
  client.release();
}

describe('round trips to the primary', () => {
  let db: ClusterPool;
  const open = (): ClusterPool => {
    db = openClusterPool(db1, [db2], { max: 1, probeEveryMs: 60_000 });
    return db;
  };
  const write = async (): Promise<unknown> => await db.tx((t) => t.query(insert, [nextId()]));

  it('of a transaction are those of one by hand, whatever it asks for', async () => {
    const floor = await counted(bare, byHand);
    expect(floor).toBe(3);
    expect(await counted(open(), write)).toBe(floor);
    const asking = () =>
      db.tx((t) => t.query(insert, [nextId()]), { durability: 'remote_write', isolation: 'repeatable read' });
    expect(await counted(db, asking)).toBe(floor);
    await db.query(db.outcomeTable.create);
    expect(await counted(db, () => db.tx((t) => t.query(insert, [nextId()]), { idempotencyKey: 'k' }))).toBe(floor);
  });

  it('of a transaction within a session are no more, and its causal read takes none', async () => {
    open();
    await db.read().query('SELECT 1');
    const trips = await counted(db, () =>
      db.session(null, async () => {
        await write();
        await db.read().query('SELECT 1');
      }),
    );
    expect(trips).toBe(3);
  });

  it('of a write without a transaction: one, and one more where a session reads after it', async () => {
    open();
    await db.read().query('SELECT 1');
    const single = () => db.query(insert, [nextId()]);
    expect(await counted(db, single)).toBe(1);
    expect(await counted(db, () => db.session(null, single))).toBe(1);
    const withReads = () =>
      db.session(null, async () => {
        await single();
        for (let n = 0; n < 3; n += 1) await db.read().query('SELECT 1');
      });
    expect(await counted(db, withReads)).toBe(2);
  });

  it('of an id that is asked for before COMMIT: one', async () => {
    const asking = () => db.tx((t) => t.query(insert, [nextId()]), { xactStatus: true });
    expect(await counted(open(), asking)).toBe(4);
  });
});
