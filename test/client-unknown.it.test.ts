/** @understudy/client where a COMMIT is not answered: what is said of it, and where its session looks for it. */
import { CommitUnknownError } from '@understudy/client';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { endClusterPools, openClusterPool } from './fixtures/cluster-pools.ts';
import { type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers('describe');
let db1: TestNode;
let db2: TestNode;
beforeAll(async () => {
  ({ db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] }));
  const db = openClusterPool(db1, []);
  await db.query('CREATE TABLE slow (id int)');
  await db.query(
    `CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'`,
  );
  await db.query(
    'CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()',
  );
}, 120_000);
afterEach(endClusterPools);

it('calls it unknown when pg gave up waiting, and does not use the connection again', async () => {
  const db = openClusterPool(db1, [], { query_timeout: 200 });
  const done = db.tx((t) => t.query('INSERT INTO slow VALUES (1)'), { retry: false });
  await expect(done).rejects.toBeInstanceOf(CommitUnknownError);
  expect(db.totalCount).toBe(0);
  await until('it was carried out', async () => (await db.query('SELECT FROM slow WHERE id = 1')).rowCount === 1);
});

it('looks for it where it would be', async () => {
  const db = openClusterPool(db1, [db2], { query_timeout: 200 });
  const standby = openClusterPool(db2, []);
  await db.read().query('SELECT 1');
  await standby.query('SELECT pg_wal_replay_pause()');
  const seen = await db.session(null, async () => {
    const done = db.tx((t) => t.query('INSERT INTO slow VALUES (2)'), { retry: false });
    await expect(done).rejects.toBeInstanceOf(CommitUnknownError);
    const asked = openClusterPool(db1, []);
    await until('it was carried out', async () => (await asked.query('SELECT FROM slow WHERE id = 2')).rowCount === 1);
    return (await db.read().query('SELECT FROM slow WHERE id = 2')).rowCount;
  });
  await standby.query('SELECT pg_wal_replay_resume()');
  expect(seen).toBe(1);
});
