/** What befalls a COMMIT through @understudy/client/testing, as an application sees it. */

import { type ClusterPool, CommitUnknownError, DurabilityNotConfirmedError } from '@understudy/client';
import { describe, expect, it } from 'vitest';
import { by, find, insert, testFakeClusters } from './fixtures/fake-clusters.ts';

const site = testFakeClusters();

describe('an answer to COMMIT that is lost', () => {
  const write = (db: ClusterPool, id: number, options: Parameters<ClusterPool['tx']>[1]) => {
    let runs = 0;
    return {
      runs: () => runs,
      done: db.tx(async (t) => {
        runs += 1;
        await t.query(insert, [id]);
        return { id };
      }, options),
    };
  };
  const done = async (id: number): Promise<number> => (await site.admin.query(find, [id])).rowCount ?? 0;

  it.each([true, false])('is told without a key (committed: %s)', async (committed) => {
    const db = site.open();
    const id = site.nextId();
    const fault = site.cluster.loseCommitAnswer({ committed });
    await expect(write(db, id, {}).done).rejects.toThrow(CommitUnknownError);
    expect(fault.hasStruck).toBe(true);
    expect(await done(id)).toBe(committed ? 1 : 0);
    expect(await write(db, site.nextId(), {}).done).toBeTruthy();
  });

  it.each([true, false])('is found out by its key, and the work done once (committed: %s)', async (committed) => {
    const db = site.open();
    await db.query(db.outcomeTable.create);
    const id = site.nextId();
    site.cluster.loseCommitAnswer({ committed });
    const { done: answer, runs } = write(db, id, { idempotencyKey: `note ${id}; COMMIT` });
    expect(await answer).toEqual({ id });
    expect(await done(id)).toBe(1);
    expect(runs()).toBe(committed ? 1 : 2);
  });

  it.each([true, false])("is found out by the transaction's id (committed: %s)", async (committed) => {
    const db = site.open();
    const id = site.nextId();
    site.cluster.loseCommitAnswer({ committed });
    const { done: answer, runs } = write(db, id, { xactStatus: true });
    expect(await answer).toEqual({ id });
    expect(await done(id)).toBe(1);
    expect(runs()).toBe(committed ? 1 : 2);
  });

  it('befalls ordinary clients and both protocols, but no reader', async () => {
    for (const queryMode of ['simple', 'extended']) {
      for (const committed of [true, false]) {
        const direct = await site.client(site.cluster.primary);
        const fault = site.cluster.loseCommitAnswer({ committed });
        await direct.query('BEGIN READ ONLY');
        await direct.query('COMMIT');
        await direct.query("SELECT 'COMMIT; COMMIT'");
        expect(fault.hasStruck).toBe(false);
        const id = site.nextId();
        await direct.query('BEGIN');
        await direct.query(insert, [id]);
        await expect(direct.query(by(queryMode, 'COMMIT'))).rejects.toThrow();
        expect(fault.hasStruck).toBe(true);
        expect(await site.isThere(id)).toBe(committed);
      }
    }
  });

  it('waits for a COMMIT that is one, and can be taken back', async () => {
    const direct = await site.client(site.cluster.primary);
    const fault = site.cluster.loseCommitAnswer({ committed: true });
    await direct.query('BEGIN');
    await expect(direct.query('SELECT nothing')).rejects.toThrow();
    expect((await direct.query('COMMIT')).command).toBe('ROLLBACK');
    expect(fault.hasStruck).toBe(false);
    fault.undo();
    await direct.query('BEGIN');
    expect((await direct.query('COMMIT')).command).toBe('COMMIT');
    expect(fault.hasStruck).toBe(false);
  });
});

describe('a commit that is not confirmed', () => {
  it('is told as such, once', async () => {
    const db = site.open();
    const [first, second] = [site.nextId(), site.nextId()];
    const fault = site.cluster.notConfirmed();
    const durable = { durability: 'on' } as const;
    await expect(db.tx((t) => t.query(insert, [first]), durable)).rejects.toThrow(DurabilityNotConfirmedError);
    expect([fault.hasStruck, await site.isThere(first)]).toEqual([true, true]);
    await db.tx((t) => t.query(insert, [second]), durable);
  });
});
