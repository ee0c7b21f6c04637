/** @understudy/client/testing before one ordinary server: what it is like, how replicas lag, and how it ends. */

import { connect } from 'node:net';
import { OptionError } from '@understudy/client';
import { startFakeCluster } from '@understudy/client/testing';
import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { by, find, insert, testFakeClusters } from './fixtures/fake-clusters.ts';
import { until } from './fixtures/postgres-cluster.ts';

const site = testFakeClusters();
const whereAmI = 'SELECT pg_is_in_recovery()';

describe('without a fault', () => {
  it('reads are served by standbys, and writes by the primary', async () => {
    const db = site.open();
    expect((await db.query(whereAmI)).rows).toEqual([{ pg_is_in_recovery: false }]);
    expect((await db.read().query(whereAmI)).rows).toEqual([{ pg_is_in_recovery: true }]);
    const { candidates } = await db.explainRoute({ maxLagBytes: 0, maxLagMs: 0 });
    expect(candidates.map(({ name, role }) => [name, role])).toEqual([
      ['replica1', 'replica'],
      ['replica2', 'replica'],
    ]);
  });

  it('a replica refuses writes to whoever connects to it', async () => {
    const direct = await site.client(site.cluster.replica('replica1'));
    await expect(direct.query(insert, [site.nextId()])).rejects.toMatchObject({ code: '25006' });
    await direct.query('BEGIN');
    await expect(direct.query(`CREATE TABLE t${site.nextId()} ()`)).rejects.toMatchObject({ code: '25006' });
  });

  it('a session reads what it wrote from a replica', async () => {
    const db = site.open();
    const id = site.nextId();
    await db.session(null, async () => {
      await db.query(insert, [id]);
      const { rows } = await db.read().query(`SELECT id::int, pg_is_in_recovery() FROM notes WHERE id = $1`, [id]);
      expect(rows).toEqual([{ id, pg_is_in_recovery: true }]);
    });
  });

  it('whatever a client sends goes through', async () => {
    const direct = await site.client(site.cluster.primary);
    const two: unknown = await direct.query('SELECT 1 AS a; SELECT 2 AS b');
    expect(two).toMatchObject([{ rows: [{ a: 1 }] }, { rows: [{ b: 2 }] }]);
    for (const n of [2, 4]) {
      const { rows } = await direct.query({ name: 'twice', text: 'SELECT $1::int * 2 AS c', values: [n] });
      expect(rows).toEqual([{ c: 2 * n }]);
    }
    const long = "SELECT repeat('x', 3000000) AS long, $1::text AS value";
    const { rows } = await direct.query<{ long: string; value: string }>(long, ['y'.repeat(200_000)]);
    expect([rows[0]?.long.length, rows[0]?.value.length]).toEqual([3_000_000, 200_000]);
    expect((await direct.query('SELECT g FROM generate_series(1, 20000) g')).rowCount).toBe(20_000);
    await expect(direct.query('SELECT nothing')).rejects.toMatchObject({ code: '42703' });
    expect((await direct.query('SELECT 3 AS d')).rows).toEqual([{ d: 3 }]);
  });
});

describe('a replica that lags', () => {
  it('shows the past, and not to the session that wrote', async () => {
    const db = site.open();
    await Promise.all([site.cluster.replica('replica1').lag(), site.cluster.replica('replica2').lag()]);
    const id = site.nextId();
    await db.query(insert, [id]);
    expect((await db.read().query(find, [id])).rowCount).toBe(0);
    expect((await db.read().query(`SELECT id FROM notes WHERE id = ${id}`)).rowCount).toBe(0);
    await db.session(null, async () => {
      const own = site.nextId();
      await db.query(insert, [own]);
      expect((await db.read().query(find, [own])).rowCount).toBe(1);
      expect((await db.read({ consistency: 'any' }).query(find, [own])).rowCount).toBe(0);
      await site.cluster.replica('replica2').catchUp();
      const served = await db.read().query(`SELECT pg_is_in_recovery() AS standby FROM notes WHERE id = $1`, [own]);
      expect(served.rows).toEqual([{ standby: true }]);
    });
    await site.cluster.replica('replica1').catchUp();
    expect((await db.read().query(find, [id])).rowCount).toBe(1);
  });

  it('is out of the pool for who bounds the lag, and back in it afterwards', async () => {
    const db = site.open();
    await db.explainRoute();
    await site.cluster.replica('replica1').lag();
    await db.query("INSERT INTO notes SELECT $1 + g, repeat('x', 1000) FROM generate_series(1, 50) g", [1_000_000]);
    const unfit = async (limits: { maxLagMs?: number; maxLagBytes?: number }): Promise<string[]> =>
      (await db.explainRoute(limits)).unfit.map(({ because, name }) => `${name} ${because}`);
    await until('too many bytes', async () =>
      (await unfit({ maxLagBytes: 40_000 })).includes('replica1 lags-too-much'),
    );
    await until('too long', async () => (await unfit({ maxLagMs: 200 })).includes('replica1 lags-too-long'));
    expect(await unfit({ maxLagMs: 10_000_000, maxLagBytes: 10_000_000 })).toEqual([]);
    await site.cluster.replica('replica1').catchUp();
    await until('it is back', async () => (await unfit({ maxLagMs: 200, maxLagBytes: 0 })).length === 0);
  });

  it('lags again from where it is asked to, and follows a transaction that is open no further', async () => {
    const replica = site.cluster.replica('replica1');
    const direct = await site.client(replica);
    const [first, second] = [site.nextId(), site.nextId()];
    await replica.lag();
    await site.admin.query(insert, [first]);
    await direct.query('BEGIN READ ONLY');
    expect((await direct.query(find, [first])).rowCount).toBe(0);
    await replica.lag();
    await site.admin.query(insert, [second]);
    expect((await direct.query(find, [first])).rowCount).toBe(0);
    await direct.query('COMMIT');
    expect((await direct.query(find, [first])).rowCount).toBe(1);
    expect((await direct.query(find, [second])).rowCount).toBe(0);
  });

  it.each([
    ['BEGIN', 'COMMIT'],
    ['begin isolation level repeatable read read only;', 'end'],
    ['/* why */ START TRANSACTION', 'ROLLBACK'],
    ['BEGIN; SELECT 1', 'COMMIT'],
  ])('%s is answered as ever', async (begin, end) => {
    const direct = await site.client(site.cluster.replica('replica1'));
    await site.cluster.replica('replica1').lag();
    const id = site.nextId();
    await site.admin.query(insert, [id]);
    const plain = await site.client(site.cluster.replica('replica2'));
    const commands = async (of: pg.Client, text: string): Promise<unknown> => {
      const answer: unknown = await of.query(text);
      return (Array.isArray(answer) ? answer : [answer]).map((each: pg.QueryResult) => each.command);
    };
    expect(await commands(direct, begin)).toEqual(await commands(plain, begin));
    expect((await direct.query(find, [id])).rowCount).toBe(0);
    expect((await plain.query(find, [id])).rowCount).toBe(1);
    expect(await commands(direct, end)).toEqual(await commands(plain, end));
  });

  it('keeps sessions as they are for whatever protocol, error or setting', async () => {
    const direct = await site.client(site.cluster.replica('replica1'));
    await direct.query({ name: 'n', text: find, values: [0] });
    await site.cluster.replica('replica1').lag();
    const id = site.nextId();
    await site.admin.query(insert, [id]);
    await expect(direct.query('SELECT nothing')).rejects.toMatchObject({ code: '42703' });
    await expect(direct.query('SELECT $1::int / 0', [1])).rejects.toMatchObject({ code: '22012' });
    await direct.query("SET application_name TO 'kept'");
    expect((await direct.query('SHOW application_name')).rows).toEqual([{ application_name: 'kept' }]);
    expect((await direct.query({ name: 'n', text: find, values: [id] })).rowCount).toBe(0);
    expect((await direct.query(find, [id])).rowCount).toBe(0);
    const two: unknown = await direct.query('SELECT 1 AS one; SELECT 2 AS two');
    expect(two).toMatchObject([{ rows: [{ one: 1 }] }, { rows: [{ two: 2 }] }]);
    await direct.query('ROLLBACK');
    await direct.query('DISCARD ALL');
    const many = await direct.query('SELECT pg_current_xact_id_if_assigned() AS none');
    expect(many.rows).toEqual([{ none: null }]);
    await direct.query(by('extended', 'BEGIN'));
    expect((await direct.query(find, [id])).rowCount).toBe(0);
    await direct.query('COMMIT');
    await expect(direct.query(insert, [site.nextId()])).rejects.toMatchObject({ code: '25006' });
  });

  it('says so where it can not show the past, and lies to nobody', async () => {
    await site.cluster.replica('replica1').lag();
    const elsewhere = await site.client(site.cluster.replica('replica1'), { database: 'template1' });
    await expect(elsewhere.query('SELECT 1')).rejects.toMatchObject({ code: '0A000' });
    await expect(elsewhere.query('SELECT $1::int', [1])).rejects.toMatchObject({ code: '0A000' });
  });
});

describe('the end', () => {
  it('leaves nothing behind, whatever was wrong', async () => {
    const db = site.open();
    await db.read().query('SELECT 1');
    const direct = await site.client(site.cluster.replica('replica2'));
    const gone = expect(direct.query('SELECT pg_sleep(600)')).rejects.toThrow();
    await site.cluster.replica('replica1').lag();
    site.cluster.replica('replica1').freeze();
    const frozen = expect(site.client(site.cluster.replica('replica1'))).rejects.toThrow();
    site.cluster.loseCommitAnswer({ committed: true });
    await site.cluster.readOnly(true);
    await site.cluster.failover();
    const ports = [site.cluster.primary, site.cluster.replica('replica1'), site.cluster.replica('replica2')].map(
      ({ port }) => port,
    );
    await site.cluster.end();
    await site.cluster.end();
    await Promise.all([gone, frozen]);
    await site.nothingLeft();
    for (const port of ports) {
      const error = await new Promise<NodeJS.ErrnoException>((resolve) =>
        connect(port, '127.0.0.1').on('error', resolve),
      );
      expect(error.code).toBe('ECONNREFUSED');
    }
  });

  it('of all faults is one call', async () => {
    const db = site.open();
    await site.cluster.replica('replica1').lag();
    await site.cluster.replica('replica2').die();
    site.cluster.primary.freeze();
    site.cluster.notConfirmed();
    await site.cluster.failover();
    await site.cluster.heal();
    await db.tx((t) => t.query(insert, [site.nextId()]), { durability: 'on' });
    await until('both replicas serve', async () => (await db.explainRoute({ maxLagBytes: 0 })).candidates.length === 2);
  });
});

it('says what is wrong with how it is started', async () => {
  await expect(startFakeCluster({ connection: site.connection, replicas: 1.5 })).rejects.toThrow(OptionError);
  await expect(startFakeCluster({ connection: { ...site.connection, ssl: true } })).rejects.toThrow(OptionError);
  await expect(
    startFakeCluster({ connection: { ...site.connection, host: '127.0.0.1', port: 1 } }),
  ).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
  expect(() => site.cluster.replica('replica9')).toThrow('replica1, replica2');
});
