/** A primary that went on alone comes back: nothing is lost without a trace, and nothing of it is left in the cluster. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Divergence, prepareDivergence } from './fixtures/divergence.ts';
import { installedMajors, openTestCluster, soon, type TestCluster, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

beforeAll(leaveRoot);

describe.each(installedMajors())('PostgreSQL %i', (major) => {
  let cluster: TestCluster;
  let divergence: Divergence;
  beforeEach(async () => {
    cluster = await openTestCluster({ nodes: ['db1', 'db2'], major });
    divergence = await prepareDivergence(cluster);
  }, 120_000);
  afterEach(() => {
    divergence.close();
    cluster.close();
  });

  const count = async (node: string, database: string, from: string): Promise<number> => {
    const text = `select count(*)::int as rows from ${from}`;
    const [row] = await divergence.session(node, database).query({ text, row: z.object({ rows: z.number() }) }, 10_000);
    return row?.rows ?? -1;
  };

  /** What db1 commits alone; the second database in several ways at once. */
  const lose = async (): Promise<void> => {
    const shop = divergence.session('db1', 'shop');
    const blog = divergence.session('db1', 'blog');
    await shop.execute("insert into public.orders values (2001, 'lost')", 10_000);
    await shop.execute("insert into public.orders values (2002, 'lost'), (2003, 'lost')", 10_000);
    await shop.execute("begin; insert into public.orders values (2999, 'rolled back'); rollback", 10_000);
    await blog.execute("update public.posts set note = 'lost' where id <= 5", 10_000);
    await blog.execute('delete from public.posts where id > 990', 10_000);
    await blog.execute(
      `begin; insert into public.posts values (2001, 'lost'); savepoint a;
       insert into public.posts values (2002, 'rolled back'); rollback to a;
       savepoint b; insert into public.posts select i, 'lost' from generate_series(2003, 2006) i; release b; commit`,
      10_000,
    );
    await blog.execute('create table public.fresh as select generate_series(1, 7) i', 10_000);
  };

  const comeBack = async (): Promise<void> => {
    const [db1, db2] = [cluster.node('db1'), cluster.node('db2')];
    await db2.postgres.checkpoint(soon);
    await db1.configure();
    const expected = { systemIdentifier: divergence.systemIdentifier, slot: db1.slot };
    await db1.postgres.rewind(db2.upstream, expected, () => undefined, soon);
    await db1.postgres.start({ role: 'standby', upstream: db2.upstream, slot: db1.slot }, soon);
    await until('db1 streams', async () => (await db1.observe('standby')).receiver === 'streaming');
  };

  it('names what was lost, with exact counts, and a rewound node has what the new primary has', async () => {
    await divergence.part();
    await lose();
    await divergence.crash('db1');
    await divergence.session('db2', 'shop').execute("insert into public.orders values (3001, 'new')", 10_000);
    const { found, report } = await divergence.rescue('db1');
    expect(found).toMatchObject({ diverged: true, notKept: null });
    if (report === null) throw new Error('no report');
    expect(report.unnamed).toBeNull();
    expect(report.tables).toEqual([
      { database: 'blog', table: 'public.fresh', inserted: 7, updated: 0, deleted: 0, transactions: 1 },
      { database: 'blog', table: 'public.posts', inserted: 5, updated: 5, deleted: 10, transactions: 3 },
      { database: 'shop', table: 'public.orders', inserted: 3, updated: 0, deleted: 0, transactions: 2 },
    ]);
    expect(report.transactions).toBe(6);
    expect(report.listed.map(({ changedCatalog }) => changedCatalog)).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(report.listed.every(({ atLeast }) => !atLeast)).toBe(true);
    const kept = join(cluster.node('db1').layout.state, 'diverged', report.id, 'wal');
    expect(readdirSync(kept).length * 4 * 1024 ** 2).toBe(report.keptBytes);
    expect((await divergence.rescue('db1')).isNew).toBe(false);
    expect(await cluster.node('db1').postgres.lostReports()).toEqual([report]);

    await comeBack();
    expect(await cluster.node('db1').observe('standby')).toMatchObject({ timeline: 2, upstream: 'db2' });
    await until('the new row is there', async () => (await count('db1', 'shop', 'public.orders')) === 1001);
    expect(await count('db1', 'blog', "public.posts where note = 'common'")).toBe(1000);
    expect(existsSync(join(cluster.node('db1').layout.data, '..', 'data.kept-1'))).toBe(false);
  }, 120_000);
});
