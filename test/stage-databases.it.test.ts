/**
 * Databases and applications come and go by editing the cluster file and `apply`, also while the primary moves: rights hold on
 * every node, who is taken away is out within seconds, and what somebody changed by hand is told.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { run } from '../src/process/run.ts';
import { applicationFiles } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const clusterFile = z.looseObject({
  databases: z.record(z.string(), z.unknown()),
  applications: z.record(z.string(), z.unknown()),
});
type ClusterFile = z.infer<typeof clusterFile>;

function edit(stage: TestStage, change: (file: ClusterFile) => void): string {
  const path = join(stage.record.root, 'cluster.yaml');
  const file = clusterFile.parse(parse(readFileSync(path, 'utf8')));
  change(file);
  writeFileSync(path, stringify(file, { aliasDuplicateObjects: false }));
  return path;
}

async function applied(stage: TestStage, change: (file: ClusterFile) => void): Promise<void> {
  const { code, stderr, stdout } = await stage.cli('apply', edit(stage, change));
  expect(code, stdout + stderr).toBe(0);
}

async function connect(stage: TestStage, application: string, node: string): Promise<pg.Client> {
  const pgpass = readFileSync(join(applicationFiles(stage.record, node), application, 'pgpass'), 'utf8');
  const client = new pg.Client({
    host: stage.record.nodes.find(({ name }) => name === node)?.address ?? '',
    port: 6432,
    user: application,
    database: application,
    password: pgpass.split('\n')[0]?.split(':').at(-1) ?? '',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function ask(stage: TestStage, application: string, node: string, sql: string): Promise<unknown> {
  const client = await connect(stage, application, node);
  try {
    const result: { rows: { answer?: unknown }[] } = await client.query(sql);
    return result.rows[0]?.answer ?? null;
  } finally {
    await client.end();
  }
}

async function primaryOf(stage: TestStage): Promise<string> {
  return (await stage.untilHealthy()).primary ?? '';
}

const soon = { timeout: 15_000, interval: 100 };

test('databases and applications follow the cluster file, wherever the primary is', { timeout: 600_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 2 }, async (stage) => {
    await stage.untilWhole();

    await applied(stage, ({ databases, applications }) => {
      databases.wiki = { owner: 'wiki_owner', extensions: ['pg_trgm'], connection_limit: 50 };
      applications.wiki = { nodes: ['app1', 'app2'] };
      applications['wiki-migrate'] = { database: 'wiki', rights: 'owner', nodes: ['app1'] };
    });
    await ask(stage, 'wiki', 'app1', "create table pages as select 'tea' as title");
    expect(await ask(stage, 'wiki', 'app2', 'select show_trgm(title) is not null as answer from pages')).toBe(true);
    expect(await ask(stage, 'wiki', 'app2', 'select current_user as answer')).toBe('wiki');
    expect(await ask(stage, 'wiki-migrate', 'app1', 'select current_user as answer')).toBe('wiki_owner');

    // A declaration that comes while the primary moves holds on the next one.
    const path = edit(stage, ({ applications }) => {
      applications['wiki-report'] = { database: 'wiki', rights: 'ro', nodes: ['app1'] };
    });
    const before = await primaryOf(stage);
    const [apply, switchover] = await Promise.all([stage.cli('apply', path), stage.cli('switchover')]);
    expect(apply.code, apply.stdout + apply.stderr).toBe(0);
    expect(switchover.code, switchover.stdout + switchover.stderr).toBe(0);
    const after = await primaryOf(stage);
    expect(after).not.toBe(before);
    expect(await ask(stage, 'wiki-report', 'app1', 'select title as answer from pages')).toBe('tea');
    await expect(ask(stage, 'wiki-report', 'app1', 'delete from pages')).rejects.toMatchObject({ code: '42501' });
    await ask(stage, 'wiki-migrate', 'app1', 'create table later as select 2 as n');
    expect(await ask(stage, 'wiki-report', 'app1', 'select n as answer from later')).toBe(2);
    await stage.untilWhole();

    // A node that is taken away: out within seconds on every server; the other one notices nothing.
    const stays = await connect(stage, 'wiki', 'app1');
    await stays.query('begin');
    const leaves = await connect(stage, 'wiki', 'app2');
    await leaves.query('begin');
    await leaves.query('select 1');
    await applied(stage, ({ applications }) => {
      applications.wiki = { nodes: ['app1'] };
    });
    const left = "select usename from pg_stat_activity where usename like 'wiki@app2%'";
    for (const node of ['db1', 'db2']) await expect.poll(() => stage.local(node, left), soon).toEqual([]);
    const open = "select rolname from pg_roles where rolname like 'wiki@app2%' and rolcanlogin";
    expect(await stage.local(after, open)).toEqual([]);
    await expect(leaves.query('select 1')).rejects.toThrow();
    await leaves.end().catch(() => undefined);
    await expect(ask(stage, 'wiki', 'app2', 'select 1')).rejects.toThrow();
    expect((await stays.query('select title from pages')).rows).toEqual([{ title: 'tea' }]);
    await stays.query('commit');
    await stays.end();

    // By hand, told before and after a switchover, and undone when asked.
    await byHand(stage, after, 'alter database wiki connection limit 5');
    const told = '! connection limit of wiki changed by hand: 5, declared 50;';
    expect((await stage.cli('plan', path)).stdout).toContain(told);
    expect(await stage.cli('switchover')).toMatchObject({ code: 0 });
    const third = await primaryOf(stage);
    expect((await stage.cli('plan', path)).stdout).toContain(told);
    expect(await stage.cli('apply', '--revert', 'connection limit of wiki')).toMatchObject({ code: 0 });
    const limit = "select datconnlimit from pg_database where datname = 'wiki'";
    expect(await stage.local(third, limit)).toEqual([{ datconnlimit: 50 }]);
    expect((await stage.cli('plan', path)).stdout).not.toContain('by hand');

    // Gone from the file: closed, and there; dropped when somebody says so twice.
    expect(await stage.cli('apply', '--drop', 'wiki', '--yes', 'wiki')).toMatchObject({ code: 3 });
    await applied(stage, ({ databases, applications }) => {
      delete databases.wiki;
      for (const name of Object.keys(applications)) if (name.startsWith('wiki')) delete applications[name];
    });
    expect((await stage.cli('plan', path)).stdout).toContain('! database wiki is retired');
    const anyLogin = "select rolname from pg_roles where rolname like 'wiki%@%' and rolcanlogin";
    expect(await stage.local(third, anyLogin)).toEqual([]);
    expect(await stage.cli('apply', '--drop', 'wiki', '--yes', 'wiki')).toMatchObject({ code: 0 });
    expect(await stage.local(third, "select datname from pg_database where datname = 'wiki'")).toEqual([]);
    expect(await stage.local(third, "select rolname from pg_roles where rolname ~ '^wiki'")).toEqual([]);
    expect((await stage.cli('plan', path)).stdout).toContain('No changes.');
    expect(await ask(stage, 'shop', 'app1', 'select 1 as answer')).toBe(1);
  });
});

/** As the superuser, over the server's own socket. */
async function byHand(stage: TestStage, node: string, sql: string): Promise<void> {
  await run('psql', ['-XAtq', '-h', join(stage.record.run, node), '-U', 'postgres', '-d', 'postgres', '-c', sql], {
    withinMs: 20_000,
    cwd: '/',
    ...(process.getuid?.() === 0 ? { user: stage.record.user } : {}),
  });
}
