/**
 * The past of a real cluster under load: somebody changes every row of a table; the moment is found, what differs is shown, and the rows
 * come back. What is killed in between leaves nothing.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { processesIn } from '../src/process/identity.ts';
import { run } from '../src/process/run.ts';
import { nodeDirectory } from '../src/stage/record.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { startWriters, type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups, restartEverything } from './fixtures/stage-backups.ts';

const opened = z.object({ id: z.string(), uri: z.string(), method: z.string(), expiresAt: z.string() });
const program = resolve(import.meta.dirname, '../dist/understudy.mjs');

async function moment(stage: TestStage): Promise<string> {
  const [row] = await stage.local('db2', 'SELECT clock_timestamp() AS now');
  // Whole milliseconds, and what was committed before has parts of them.
  return new Date(new Date(String(row?.now)).getTime() + 1).toISOString();
}

/** Everything that was committed until now is in the repository. */
async function archiveAll(stage: TestStage): Promise<void> {
  const [row] = await stage.local('db2', 'SELECT pg_walfile_name(pg_switch_wal()) AS segment');
  await until('the WAL is archived', async () => {
    const [said] = await stage.local('db2', 'SELECT last_archived_wal AS segment FROM pg_stat_archiver');
    return String(said?.segment) >= String(row?.segment);
  });
}

function scratchOf(stage: TestStage): string {
  return join(nodeDirectory(stage.record, 'db1'), 'state', 'past');
}

function instancesIn(stage: TestStage): readonly string[] {
  const scratch = scratchOf(stage);
  return existsSync(scratch) ? readdirSync(scratch).filter((name) => /^p\d/.test(name)) : [];
}

async function past(stage: TestStage, ...args: readonly string[]): Promise<z.infer<typeof json>> {
  const { code, stderr, stdout } = await stage.cli('past', ...args, '--json');
  expect(code, stderr).toBe(0);
  return json.parse(JSON.parse(stdout));
}
const json = z.union([z.array(z.looseObject({})), z.looseObject({})]);

/** Whole searches take a minute: `TEST_LONG=1` plays them. */
const isLong = process.env.TEST_LONG === '1';

test('somebody changes every row, and the past brings them back', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    // A directory serves: what is asked here is what becomes of it once it is restored.
    await declareBackups(stage, 'directory');
    await restartEverything(stage);
    await stage.shop("CREATE TABLE users AS SELECT n AS id, 'name ' || n AS name FROM generate_series(1, 500) n");
    await stage.shop('ALTER TABLE users ADD PRIMARY KEY (id)');
    const made = await stage.cli('backup', 'now');
    expect(made.code, made.stderr).toBe(0);

    const writers = await startWriters(stage, 2, 'local', 'app1');
    // Ends of backups are known to the second.
    await stage.local('db2', 'SELECT pg_sleep(1.1)');
    await stage.shop("UPDATE users SET name = 'right' WHERE id = 7");
    const before = await moment(stage);
    await stage.shop("UPDATE users SET name = 'X'");
    const after = await moment(stage);
    await stage.shop('DELETE FROM users WHERE id = 9');
    await archiveAll(stage);

    if (isLong) await findsWhen(stage, { before, after });

    const file = join(stage.directory, 'back.sql');
    const early = await stage.cli('past', '2020-01-01T00:00:00Z', '--table', 'users', '--sql', file);
    expect(early.code, early.stderr).toBe(3);
    const differs = await past(stage, before, '--table', 'users', '--sql', file);
    expect(differs).toMatchObject({ rowsThen: 500, rowsNow: 499, gone: 1, changed: 499, new: 0, isWhole: true });
    expect(instancesIn(stage)).toEqual([]);

    const back = await psql(stage, readFileSync(file, 'utf8'));
    expect(back.code, back.stderr).toBe(0);
    const sum = "SELECT count(*)::int AS rows, count(*) FILTER (WHERE name = 'X')::int AS wrong FROM users";
    expect(await stage.shop(sum)).toEqual([{ rows: 500, wrong: 0 }]);
    expect(await stage.shop('SELECT name FROM users WHERE id = 7')).toEqual([{ name: 'right' }]);

    const again = await stage.cli('past', before, '--table', 'users', '--sql', file);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('must not be there yet')]);
    await lives(stage, { before, after });
    expect((await writers.stop()).missing).toBe(0);
  });
});

/** Each question opens the past once more. */
async function findsWhen(stage: TestStage, { before, after }: { readonly before: string; readonly after: string }) {
  const condition = "(SELECT count(*) FROM users WHERE name = 'X') > 100";
  const when = await past(stage, 'when', condition, '--to', after, '--precision', '400ms');
  expect(when).toMatchObject({ found: 'change', was: false, isPrecise: true });
  const { after: from, by } = z.object({ after: z.string(), by: z.string() }).parse(when);
  expect([from < after, by > before]).toEqual([true, true]);
  expect(Date.parse(by) - Date.parse(from)).toBeLessThanOrEqual(400);
}

async function psql(stage: TestStage, script: string) {
  const args = ['-X', '-h', join(stage.record.run, 'db2'), '-U', 'postgres', '-d', 'shop'];
  const user = process.getuid?.() === 0 ? { user: stage.record.user } : {};
  return await run('psql', args, { withinMs: 30_000, cwd: '/', input: script, anyExit: true, ...user });
}

/** An instance from its opening to its end, and what becomes of one whose maker is killed. */
async function lives(stage: TestStage, { before, after }: { before: string; after: string }): Promise<void> {
  const first = opened.parse(await past(stage, before, '--database', 'shop'));
  expect(first.id).toBe('p1');
  const client = new pg.Client({ connectionString: first.uri });
  await client.connect();
  const count = "SELECT count(*)::int AS wrong FROM users WHERE name = 'X'";
  expect((await client.query(count)).rows).toEqual([{ wrong: 0 }]);
  await expect(client.query('DELETE FROM users')).rejects.toThrow('read-only');
  client.on('error', () => undefined);
  await client.end();

  expect(await past(stage, 'move', 'p1', after)).toMatchObject({ id: 'p1', method: first.method });
  const compared = await past(stage, 'p1', '--tables', '--count', '--database', 'shop');
  expect(compared).toMatchObject({ counting: 'counted' });
  expect(await past(stage, 'list')).toMatchObject([{ id: 'p1', state: 'open' }]);
  expect(await past(stage, 'move', 'p1', before)).toMatchObject({ id: 'p1' });
  await past(stage, 'close', 'p1');
  expect(instancesIn(stage)).toEqual([]);

  for (const [args, text] of [
    [['2001-01-01T00:00:00Z'], 'before the first backup'],
    [['FF/0'], 'possible is'],
    [[before, '--max-size', '1MB'], 'may have 1 MB'],
  ] as const) {
    const refused = await stage.cli('past', ...args);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining(text)]);
  }
  await dies(stage, before);
  const short = opened.parse(await past(stage, before, '--for', '1s'));
  await until('it has expired', () => Promise.resolve(Date.now() > Date.parse(short.expiresAt)));
  expect(await past(stage, 'list')).toEqual([]);
}

async function dies(stage: TestStage, before: string): Promise<void> {
  const child = spawn(process.execPath, [program, 'past', before], { cwd: stage.directory, stdio: 'ignore' });
  const record = join(scratchOf(stage), 'p1.json');
  await until('it is at work', () => Promise.resolve(existsSync(record)));
  child.kill('SIGKILL');
  expect(await past(stage, 'list')).toEqual([]);
  expect(instancesIn(stage)).toEqual([]);
  expect(processesIn(join(scratchOf(stage), 'p1', 'data'))).toEqual([]);
}
