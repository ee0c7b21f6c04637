/** The load and its judge on a real cluster: a move and a crash are found sound, and what a person breaks is found. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { tablesOf } from '../src/load/tables.ts';
import { sendSignal } from '../src/process/signal.ts';
import { startCli } from './fixtures/cli-run.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

const soon = { timeout: 60_000 };

test('a load judges a switchover, a crash, an early end, and what was broken by hand', {
  timeout: 300_000,
}, async () => {
  await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
    await moved(stage);
    await crashed(stage);
    await endedEarly(stage);
    await broken(stage);
  });
});

/** The primary moves under load: every transaction is acknowledged, and is on every node. */
async function moved(stage: TestStage): Promise<void> {
  const writing = await startStageLoad(stage, { writers: 8, commit: 'on' });
  await writing.untilCommitted(200);
  const result = await stage.cli('switchover', '--to', 'db2', '--json');
  expect(result.code, result.stdout + result.stderr).toBe(0);
  await writing.untilCommitted(200);
  const { kept, rest, verdict } = await writing.judged();
  expect(kept).toBeNull();
  expect(rest.reached).toBe(true);
  expect(verdict).toMatchObject({ outcome: 'sound', findings: 0, troubles: [], doubts: [] });
  expect(verdict.nodes.map(({ node, role }) => `${node} ${role}`)).toEqual([
    'db1 standby',
    'db2 primary',
    'db3 standby',
  ]);
  for (const { failed, ok, unknown } of verdict.workloads) {
    expect({ failed, unknown }).toEqual({ failed: 0, unknown: 0 });
    expect(ok).toBeGreaterThan(50);
  }
  expect(verdict.applications.map(({ application, node }) => `${application} ${node}`)).toEqual([
    'shop app1',
    'shop app2',
  ]);
  await stage.untilHealthy();
}

/** A crash may fail what was under way, and leaves some of it unknown; nothing that was acknowledged goes. */
async function crashed(stage: TestStage): Promise<void> {
  const primary = (await stage.status()).primary ?? '';
  const writing = await startStageLoad(stage, { writers: 8, commit: 'on' });
  await writing.untilCommitted(200);
  // Every writer waits for an answer then, and gets none.
  const backends = stage.processes('backend', primary);
  for (const backend of backends) sendSignal(backend, 'SIGSTOP');
  await stoodStill(writing);
  stage.signal('postmaster', primary, 'SIGKILL');
  for (const backend of backends) sendSignal(backend, 'SIGKILL');
  const unanswered = (): number => writing.load.counts().failed + writing.load.counts().unknown;
  await expect.poll(unanswered, soon).toBeGreaterThan(0);
  await writing.untilCommitted(200);
  const { verdict } = await writing.judged();
  expect(verdict).toMatchObject({ outcome: 'sound', findings: 0, doubts: [] });
  expect(verdict.troubles.length).toBeGreaterThan(0);
  await stage.untilHealthy();
}

async function stoodStill(writing: Awaited<ReturnType<typeof startStageLoad>>): Promise<void> {
  let before = -1;
  const isStill = (): boolean => {
    const { ok } = writing.load.counts();
    const is = ok === before;
    before = ok;
    return is;
  };
  await expect.poll(isStill, { ...soon, interval: 200 }).toBe(true);
}

/** By Ctrl-C, and judged all the same. */
async function endedEarly(stage: TestStage): Promise<void> {
  let isOver = false;
  const primary = (await stage.status()).primary ?? '';
  const begun = new Date().toISOString(); // one machine, one clock
  const argv = ['stage', 'load', '--for', '10min', '--writers', '2', '--json'];
  const { ended, interrupt, written } = startCli(argv, { directory: stage.directory });
  const loading = ended.finally(() => {
    isOver = true;
  });
  // A writer's statement, not one that makes the tables; a session of the pooler shows what the load before asked last.
  const own = `usename like 'shop@%' and query ~ '^(update|insert into) public.understudy_load' and query_start > '${begun}'`;
  const sessions = `select 1 from pg_stat_activity where ${own}`;
  await expect.poll(async () => isOver || (await stage.local(primary, sessions)).length > 0, soon).toBe(true);
  interrupt();
  expect(await loading, written.err + written.out).toBe(0);
  const report: unknown = JSON.parse(written.out);
  expect(report).toMatchObject({ endedEarly: 'asked', kept: null, verdict: { outcome: 'sound' } });
  const documented = readFileSync(join(import.meta.dirname, '../docs/cli.md'), 'utf8').split(
    'A report of `stage load`',
  )[1];
  for (const name of namesIn(report)) expect(documented).toMatch(new RegExp(`\`${name}(?:\\[\\])?\``));
  expect(JSON.parse(written.err)).toMatchObject({ note: expect.stringContaining('ending the load') });
}

function namesIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.values(value).flatMap(namesIn);
  return Array.isArray(value) ? below : [...Object.keys(value), ...below];
}

/** Each thing that was broken is told, and the tables stay for whoever wants to look. */
async function broken(stage: TestStage): Promise<void> {
  const writing = await startStageLoad(stage, { writers: 4, commit: 'on' });
  await writing.untilCommitted(300);
  const { attempts } = await writing.load.stop();
  const rows = attempts.filter(({ outcome, workload }) => outcome === 'ok' && workload === 'inserts');
  const [lost, doubled] = rows.map(({ id }) => id);
  const client = new pg.Client(stage.application());
  await client.connect();
  const tables = tablesOf(writing.load.run);
  await client.query(`delete from ${tables.inserts} where id = ${lost};
    insert into ${tables.inserts} values (${doubled});
    update ${tables.lists} set items = items[2:] || items[1]
      where key = (select key from ${tables.lists} where cardinality(items) > 2 order by key limit 1);
    update ${tables.accounts} set balance = balance + 1 where id = 0`);
  await client.end();
  const { kept, verdict } = await writing.judged();
  expect(kept).toBe('the verdict is broken');
  const [inserts, append, bank] = verdict.workloads;
  expect(verdict.outcome).toBe('broken');
  expect(inserts).toMatchObject({ workload: 'inserts', lost: { on: 1 }, duplicates: 1 });
  expect(append).toMatchObject({ workload: 'append', lost: { on: 0 }, duplicates: 0 });
  expect(append?.forks.on).toBeGreaterThan(0);
  // On every node: the standbys hold what the primary holds.
  expect(bank).toMatchObject({ workload: 'bank', lost: { on: 0 }, wrongTotals: 3, wrongBalances: 1 });
  const kinds = ['lost', 'fork', 'wrong-total', 'wrong-balance', 'duplicate'];
  expect([...new Set(verdict.examples.map(({ kind }) => kind))]).toEqual(kinds);
  await writing.load.dropTables();
}
