/** A primary that went on alone comes back: nothing is lost without a trace, and nothing of it is left in the cluster. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { processesIn } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { untilInstant } from './fixtures/child.ts';
import { type Divergence, prepareDivergence } from './fixtures/divergence.ts';
import { spawnPostgresChild } from './fixtures/postgres-child.ts';
import { installedMajors, soon, type TestCluster, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

describe.each(installedMajors())('PostgreSQL %i', (major) => {
  const servers = testServers();
  let cluster: TestCluster;
  let divergence: Divergence;
  beforeEach(async () => {
    ({ cluster } = await servers.open({ nodes: ['db1', 'db2'], major }));
    divergence = await prepareDivergence(cluster);
  }, 120_000);
  afterEach(() => {
    divergence.close();
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
    const shop = await divergence.client('db1', 'shop');
    await shop.query("begin; insert into public.orders values (4001, 'before the fork')");
    await divergence.part();
    await lose();
    await shop.query("insert into public.orders values (4002, 'past it'); commit");
    await divergence.crash('db1');
    await divergence.session('db2', 'shop').execute("insert into public.orders values (3001, 'new')", 10_000);
    const { found, report } = await divergence.rescue('db1');
    expect(found).toMatchObject({ diverged: true, notKept: null });
    if (report === null) throw new Error('no report');
    expect(report.unnamed).toBeNull();
    expect(report.tables).toEqual([
      { database: 'blog', table: 'public.fresh', inserted: 7, updated: 0, deleted: 0, transactions: 1 },
      { database: 'blog', table: 'public.posts', inserted: 5, updated: 5, deleted: 10, transactions: 3 },
      { database: 'shop', table: 'public.orders', inserted: 5, updated: 0, deleted: 0, transactions: 3 },
    ]);
    expect(report.transactions).toBe(7);
    const changed = report.listed.map(({ changedCatalog }) => changedCatalog);
    expect(changed).toEqual([false, false, false, false, false, true, false]);
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

  it('is cloned, and its directory kept, when its WAL is damaged or gone', async () => {
    await divergence.part();
    const shop = divergence.session('db1', 'shop');
    for (let round = 0; round < 3; round += 1) {
      const first = 10_000 * (round + 1);
      const rows = `select i, repeat('lost', 200) from generate_series(${first}, ${first + 4_000}) i`;
      await shop.execute(`insert into public.orders ${rows}`, 30_000);
    }
    await divergence.crash('db1');
    const [db1, db2] = [cluster.node('db1'), cluster.node('db2')];
    const { fork } = await db2.observe('primary');
    damage(db1.layout.data, (fork?.lsn ?? 0n) + 1_500_000n);
    const { found, report } = await divergence.rescue('db1');
    expect(found).toMatchObject({ diverged: true, notKept: expect.stringContaining("can't be read past") });
    expect(report?.transactions).toBeLessThan(3);

    await rm(join(db1.layout.state, 'diverged'), { recursive: true });
    for (const name of readdirSync(join(db1.layout.data, 'pg_wal'))) {
      if (/^00000001[0-9A-F]{16}$/.test(name)) await rm(join(db1.layout.data, 'pg_wal', name));
    }
    await db2.postgres.checkpoint(soon);
    await db1.configure();
    const expected = { systemIdentifier: divergence.systemIdentifier, slot: db1.slot };
    await expect(db1.postgres.rewind(db2.upstream, expected, () => undefined, soon)).rejects.toMatchObject({
      code: 'REWIND_FAILED',
    });
    // Nothing had been changed: it is what it was.
    expect((await db1.observe('stopped')).timeline).toBe(1);
    await db1.postgres.clone(db2.upstream, { ...expected, diverged: true }, () => undefined, soon);
    await db1.postgres.start({ role: 'standby', upstream: db2.upstream, slot: db1.slot }, soon);
    expect(existsSync(db1.layout.diverged(1))).toBe(true);
  }, 120_000);

  it('keeps no more than the limit allows, and says so', async () => {
    await divergence.part();
    await lose();
    await divergence.crash('db1');
    const { found, report } = await divergence.rescue('db1', { maxBytes: 1_000, keepMs: 1_000 });
    expect(found.notKept).toContain('more than there is room for');
    expect(report).toMatchObject({ whole: false, keptBytes: 0, transactions: 6 });
  }, 120_000);

  it('a rewind that is killed leaves a directory that is never started, and a clone mends it', async () => {
    await divergence.part();
    await lose();
    await divergence.crash('db1');
    await divergence.rescue('db1');
    const [db1, db2] = [cluster.node('db1'), cluster.node('db2')];
    await db2.postgres.checkpoint(soon);
    const child = spawnPostgresChild(cluster, {
      act: 'rewind',
      node: 'db1',
      from: 'db2',
      systemIdentifier: divergence.systemIdentifier,
    });
    await untilInstant(child, () => readText(db1.layout.journal).includes('"rewind":{"step":"begun"'));
    // The agent and pg_rewind, both at once.
    child.kill('SIGKILL');
    for (const process of processesIn(db1.layout.data)) sendSignal(process, 'SIGKILL');
    await until('it is dead', async () => child.exitCode !== null || child.signalCode !== null);
    const reborn = db1.reborn();
    await until('nothing works there', async () => processesIn(db1.layout.data).length === 0);
    await reborn.observe('unfinished');
    await reborn.configure();
    const as = { role: 'standby', upstream: db2.upstream, slot: db1.slot } as const;
    await expect(reborn.postgres.start(as, soon)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    await expect(reborn.postgres.start({ role: 'primary' }, soon)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    const expected = { systemIdentifier: divergence.systemIdentifier, slot: db1.slot };
    await reborn.postgres.clone(db2.upstream, { ...expected, diverged: false }, () => undefined, soon);
    await reborn.postgres.start(as, soon);
    await until('db1 streams', async () => (await reborn.observe('standby')).receiver === 'streaming');
    expect(await count('db1', 'shop', 'public.orders')).toBe(1000);
    await reborn.postgres.close();
  }, 120_000);
});

/** Zeros over one page of WAL. */
function damage(data: string, lsn: bigint): void {
  const size = 4n * 1024n ** 2n;
  const name = `00000001${'0'.repeat(8)}${(lsn / size).toString(16).toUpperCase().padStart(8, '0')}`;
  const file = openSync(join(data, 'pg_wal', name), 'r+');
  writeSync(file, Buffer.alloc(8_192), 0, 8_192, Number(((lsn % size) / 8_192n) * 8_192n));
  closeSync(file);
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
