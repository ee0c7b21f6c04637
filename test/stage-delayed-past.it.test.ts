/**
 * The past on a node that is declared to replay later, in a cluster without backups: a mistake is found, what differs is shown, and the
 * node goes on as before. Played with `TEST_LONG=1`, since a stage takes its time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { until } from './fixtures/postgres-cluster.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { ordered } from './fixtures/stage-backups.ts';

const isLong = process.env.TEST_LONG === '1';
const opened = z.looseObject({ id: z.string(), uri: z.string(), method: z.string(), source: z.string() });
const declaration = z.looseObject({
  nodes: z.looseObject({ database: z.record(z.string(), z.union([z.string(), z.looseObject({})])) }),
});

async function delay(stage: TestStage, node: string, by: string): Promise<void> {
  const file = join(stage.record.root, 'cluster.yaml');
  const declared = declaration.parse(parse(readFileSync(file, 'utf8')));
  const { database } = declared.nodes;
  const own = database[node];
  const delayed = { ...(typeof own === 'string' ? { address: own } : own), delay: by };
  const fresh = join(stage.directory, 'delayed.yaml');
  writeFileSync(
    fresh,
    stringify({ ...declared, nodes: { ...declared.nodes, database: { ...database, [node]: delayed } } }),
  );
  await ordered(stage, 'apply', fresh);
  await until(`${node} replays later`, async () => {
    const [row] = await stage.local(node, "SELECT current_setting('recovery_min_apply_delay') AS delay");
    return row?.delay === by && (await hasLine(stage, node));
  });
}

async function hasLine(stage: TestStage, node: string): Promise<boolean> {
  const [row] = await stage.local(
    node,
    "SELECT count(*)::int AS lines FROM pg_hba_file_rules WHERE type = 'local' AND database = '{replication}'",
  );
  return row?.lines === 1;
}

/** Of the clock of the servers, which are here. Commits have parts of a millisecond. */
async function moment(): Promise<string> {
  const at = new Date(Date.now() + 1).toISOString();
  await until('it is over', () => Promise.resolve(new Date().toISOString() > at));
  return at;
}

async function past(stage: TestStage, ...args: readonly string[]): Promise<unknown> {
  return JSON.parse((await ordered(stage, 'past', ...args, '--node', 'db3', '--json')).stdout);
}

test.runIf(isLong)('a delayed standby shows the past, without backups', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
    await stage.shop('CREATE TABLE users AS SELECT n AS id, 0 AS said FROM generate_series(1, 500) n');
    await stage.shop('ALTER TABLE users ADD PRIMARY KEY (id)');
    await replayed(stage);
    await delay(stage, 'db3', '1h');
    await stage.shop('UPDATE users SET said = id');
    const before = await moment();
    await stage.shop('UPDATE users SET said = 7');
    const after = await moment();
    await stage.shop('DELETE FROM users WHERE id = 9');

    const first = opened.parse(await past(stage, before, '--database', 'shop'));
    expect(first).toMatchObject({ method: 'delayed-standby', source: 'standby', backup: null });
    expect(await saidAt(first.uri)).toEqual([{ rows: 500, said: 125_250 }]);
    const moved = opened.parse(await past(stage, 'move', first.id, after, '--database', 'shop'));
    expect(await saidAt(moved.uri)).toEqual([{ rows: 500, said: 3_500 }]);
    expect(await past(stage, 'list')).toMatchObject([{ id: first.id, method: 'delayed-standby' }]);
    await past(stage, 'close', first.id);

    const differs = await past(stage, before, '--table', 'users', '--database', 'shop');
    expect(differs).toMatchObject({ rowsThen: 500, rowsNow: 499, gone: 1, changed: 499 - 1 });
    const condition = '(SELECT count(*) FROM users WHERE said = 7) > 100';
    const when = await past(stage, 'when', condition, '--database', 'shop', '--from', before, '--to', after);
    expect(when).toMatchObject({ found: 'change', was: false });

    await refuses(stage, before);
    await goesOn(stage);
  });
});

async function saidAt(uri: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: uri });
  await client.connect();
  try {
    return (await client.query('SELECT count(*)::int AS rows, sum(said)::int AS said FROM users')).rows;
  } finally {
    await client.end();
  }
}

/** What neither has, and what was asked of a node that is none. */
async function refuses(stage: TestStage, before: string): Promise<void> {
  for (const [args, text] of [
    [['2020-01-01T00:00:00Z', '--node', 'db3'], 'db3 has replayed past it'],
    [['FF/0', '--node', 'db3'], 'db3 has not received that moment yet'],
    // Nobody knows before it is tried.
    [['xid:4000000', '--node', 'db3'], 'what the delayed standby has received ends before that moment'],
    [[before, '--node', 'db3', '--max-size', '1MB'], 'may have 1 MB'],
    [[before, '--node', 'db1', '--source', 'standby'], 'db1 is no delayed standby'],
    [[before, '--node', 'db1'], 'no backups are declared'],
    [['when', 'true', '--database', 'shop', '--node', 'db1'], 'no backups are declared'],
  ] as const) {
    const refused = await stage.cli('past', ...args);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining(text)]);
  }
  expect(await past(stage, 'list')).toEqual([]);
}

async function goesOn(stage: TestStage): Promise<void> {
  const kept = `SELECT pg_is_wal_replay_paused() AS paused, (SELECT status FROM pg_stat_wal_receiver) AS receives,
    (SELECT count(*)::int FROM pg_replication_slots WHERE temporary) AS slots,
    current_setting('recovery_min_apply_delay') AS delay`;
  expect(await stage.local('db3', kept)).toEqual([{ paused: false, receives: 'streaming', slots: 0, delay: '1h' }]);
  await delay(stage, 'db3', '1s');
  await replayed(stage);
}

async function replayed(stage: TestStage): Promise<void> {
  const [row] = await stage.local('db1', 'SELECT pg_current_wal_lsn()::text AS lsn');
  const asked = `SELECT pg_last_wal_replay_lsn() >= '${String(row?.lsn)}' AS done`;
  await until('db3 has replayed it', async () => (await stage.local('db3', asked))[0]?.done === true);
}
