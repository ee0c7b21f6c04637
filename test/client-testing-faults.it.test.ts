/** Servers of @understudy/client/testing that die, freeze, refuse writes or fail over, as an application sees it. */

import { once } from 'node:events';
import { CommitUnknownError, ReadOnlyModeError, TransactionGaveUpError } from '@understudy/client';
import { describe, expect, it } from 'vitest';
import { find, insert, testFakeClusters } from './fixtures/fake-clusters.ts';
import { until } from './fixtures/postgres-cluster.ts';

const site = testFakeClusters();
const whereAmI = 'SELECT pg_is_in_recovery()';

describe('a primary that is frozen', () => {
  it('is read from no longer than the deadline says, and again when it answers', async () => {
    const db = site.open({ replicas: {}, readDeadlineMs: 500 });
    await db.read().query('SELECT 1');
    site.cluster.primary.freeze();
    await expect(db.read().query('SELECT 1')).rejects.toThrow();
    site.cluster.primary.thaw();
    expect((await db.read().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });
});

describe('a server that dies', () => {
  it('is survived by the read that was under way on it', async () => {
    const db = site.open();
    const holder = await site.admin.connect();
    await holder.query('SELECT pg_advisory_lock(7)');
    const read = db.read().query('SELECT pg_advisory_lock_shared(7), pg_is_in_recovery() AS standby');
    const waiting = async (): Promise<number> =>
      (await holder.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).rowCount ?? 0;
    await until('it waits on the first replica', async () => (await waiting()) === 1);
    const { first } = await db.explainRoute();
    const other = site.cluster.replica(first ?? '');
    const serving = site.cluster.replica(other.name === 'replica1' ? 'replica2' : 'replica1');
    await serving.die();
    await until('it waits on the other one', async () => (await waiting()) === 1);
    await holder.query('SELECT pg_advisory_unlock(7)');
    holder.release();
    expect((await read).rows[0]?.standby).toBe(true);
    await until('the dead one is known', async () =>
      (await db.explainRoute()).unfit.some(({ name }) => name === serving.name),
    );
    serving.revive();
    await until('it is back', async () => (await db.explainRoute()).candidates.length === 2);
  });

  it('has nothing of what was under way left, and nobody gets in', async () => {
    // Otherwise the server would notice by itself that its client is gone.
    const options = '-c client_connection_check_interval=0';
    const direct = await site.client(site.cluster.primary, { options });
    const id = site.nextId();
    await direct.query('BEGIN');
    await direct.query(insert, [id]);
    const sleeping = direct.query('SELECT pg_sleep(600)');
    const failed = expect(sleeping).rejects.toThrow();
    const isAsleep = async (): Promise<boolean> => {
      const text = "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'";
      return (await site.admin.query(text)).rowCount === 1;
    };
    await until('it sleeps', isAsleep);
    await site.cluster.primary.die();
    await failed;
    expect(await isAsleep()).toBe(false);
    // Nothing is locked any more.
    await site.admin.query(insert, [id]);
    await expect(site.client(site.cluster.primary)).rejects.toThrow();
    site.cluster.primary.revive();
    expect((await (await site.client(site.cluster.primary)).query(find, [id])).rowCount).toBe(1);
  });

  it('is waited for by a transaction within its deadline', async () => {
    const db = site.open();
    await site.cluster.primary.die();
    await expect(db.tx((t) => t.query('SELECT 1'), { deadlineMs: 100 })).rejects.toThrow(TransactionGaveUpError);
    const done = db.tx((t) => t.query(insert, [site.nextId()]));
    site.cluster.primary.revive();
    expect((await done).rowCount).toBe(1);
  });
});

describe('a server that is frozen', () => {
  it('answers nobody until it is thawed, and then does what it was sent', async () => {
    const direct = await site.client(site.cluster.primary);
    const id = site.nextId();
    site.cluster.primary.freeze();
    let isAnswered = false;
    const late = Promise.all([direct.query(insert, [id]), site.client(site.cluster.primary)]).then(() => {
      isAnswered = true;
    });
    const witness = await site.client(site.cluster.replica('replica1'));
    for (let n = 0; n < 50; n += 1) await witness.query('SELECT 1');
    expect(isAnswered).toBe(false);
    expect(await site.isThere(id)).toBe(false);
    site.cluster.primary.thaw();
    await late;
    expect(await site.isThere(id)).toBe(true);
  });

  it('is given up for another one by a read', async () => {
    const db = site.open();
    await db.read().query('SELECT 1');
    site.cluster.replica('replica1').freeze();
    const reads = await Promise.all([1, 2, 3, 4].map((n) => db.read().query('SELECT $1::int AS n', [n])));
    expect(reads.map(({ rows }) => rows[0]?.n)).toEqual([1, 2, 3, 4]);
  });
});

describe('read-only mode', () => {
  it('is told by a transaction, while reads go on', async () => {
    const db = site.open();
    await db.tx((t) => t.query(insert, [site.nextId()]));
    await site.cluster.readOnly(true);
    const id = site.nextId();
    await expect(db.tx((t) => t.query(insert, [id]))).rejects.toThrow(ReadOnlyModeError);
    expect(db.status().mode).toBe('read-only');
    expect(await db.tx((t) => t.query(insert, [id]), { onReadOnly: 'drop' })).toBeUndefined();
    await expect(db.query(insert, [id])).rejects.toMatchObject({ code: '25006' });
    expect((await db.query(whereAmI)).rows).toEqual([{ pg_is_in_recovery: true }]);
    expect((await db.read().query(find, [id])).rowCount).toBe(0);
    const waiting = db.tx((t) => t.query(insert, [id]), { onReadOnly: 'wait' });
    await site.cluster.readOnly(false);
    expect((await waiting).rowCount).toBe(1);
    expect((await db.query(insert, [site.nextId()])).rowCount).toBe(1);
  });

  it('breaks off what was under way, and leaves idle connections', async () => {
    const [writing, idle] = [await site.client(site.cluster.primary), await site.client(site.cluster.primary)];
    await writing.query('BEGIN');
    await site.cluster.readOnly(true);
    await expect(writing.query('COMMIT')).rejects.toThrow();
    await expect(idle.query(insert, [site.nextId()])).rejects.toMatchObject({ code: '25006' });
    await site.cluster.heal();
    expect((await idle.query(insert, [site.nextId()])).rowCount).toBe(1);
  });
});

describe('a failover', () => {
  it('is waited for by a transaction, and leads to the next timeline', async () => {
    const db = site.open();
    const first = site.nextId();
    const earlier = await db.session(null, async (session) => {
      await db.query(insert, [first]);
      return await session.token();
    });
    await site.cluster.replica('replica1').lag();
    const failover = await site.cluster.failover();
    const written = site.nextId();
    let attempts = 0;
    const later = db.session(earlier, async (session) => {
      await db.tx(async (t) => {
        attempts = t.attempt;
        await t.query(insert, [written]);
      });
      return await session.token();
    });
    await expect(site.client(site.cluster.primary)).rejects.toThrow();
    failover.promote();
    expect([earlier, await later].map((token) => token.split('.')[1])).toEqual(['1', '2']);
    expect(attempts).toBeGreaterThan(0);
    const seen = async (token: string, id: number): Promise<unknown> =>
      await db.session(token, async () => (await db.read().query(find, [id])).rowCount);
    for (let n = 0; n < 4; n += 1) {
      expect(await seen(await later, written)).toBe(1);
      expect(await seen(earlier, first)).toBe(1);
    }
  });

  it('ends by itself when that is asked for', async () => {
    const db = site.open();
    const failover = await site.cluster.failover({ forMs: 20 });
    await expect(site.cluster.failover()).rejects.toThrow('under way');
    expect((await db.tx((t) => t.query(insert, [site.nextId()]))).rowCount).toBe(1);
    await failover.ended;
    (await site.cluster.failover()).promote();
    const self = await site.client(site.cluster.primary);
    const { rows } = await self.query('SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) AS timeline');
    expect(rows).toEqual([{ timeline: '00000003' }]);
  });

  it('makes ids of transactions worthless', async () => {
    const db = site.open();
    const id = site.nextId();
    site.cluster.loseCommitAnswer({ committed: true });
    const released = once(db, 'release');
    // Whoever asks for the transaction gets no answer before the failover.
    db.once('release', () => site.cluster.primary.freeze());
    const told = expect(db.tx((t) => t.query(insert, [id]), { xactStatus: true })).rejects.toThrow(CommitUnknownError);
    await released;
    expect(await site.isThere(id)).toBe(true);
    const failover = await site.cluster.failover();
    site.cluster.primary.thaw();
    failover.promote();
    await told;
  });
});
