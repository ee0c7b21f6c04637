/**
 * A whole cluster is taken back to a moment in its place: every row committed before it is there and none of later, the other nodes
 * stream again, and backups go on. Refused while anything lives. Played with `TEST_LONG=1`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '../src/process/run.ts';
import { until } from './fixtures/postgres-cluster.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { declareBackups, ordered, restartEverything } from './fixtures/stage-backups.ts';

interface Commit {
  readonly id: number;
  readonly sentMs: number;
  readonly acknowledgedMs: number;
}

/** db2 is primary afterwards. */
async function beginBackups(stage: TestStage): Promise<void> {
  await declareBackups(stage, 'directory');
  await ordered(stage, 'restart', 'db3');
  await restartEverything(stage);
  await ordered(stage, 'backup', 'now');
}

async function write(stage: TestStage, from: number, count: number): Promise<readonly Commit[]> {
  const client = new pg.Client(stage.application());
  await client.connect();
  const commits: Commit[] = [];
  try {
    await client.query('create table if not exists history (id bigint primary key)');
    for (let id = from; id < from + count; id += 1) {
      const sentMs = Date.now();
      await client.query('insert into history values ($1)', [id]);
      commits.push({ id, sentMs, acknowledgedMs: Date.now() });
    }
  } finally {
    await client.end();
  }
  return commits;
}

async function rowsOn(stage: TestStage, node: string): Promise<readonly number[]> {
  const user = process.getuid?.() === 0 ? { user: stage.record.user } : {};
  const args = ['-X', '-A', '-t', '-h', join(stage.record.run, node), '-U', 'postgres', '-d', 'shop'];
  const sql = ['-c', 'select id from history order by id'];
  const { stdout } = await run('psql', [...args, ...sql], { withinMs: 10_000, cwd: '/', ...user });
  return stdout.trim().split('\n').map(Number);
}

/** It has put the old directory aside, and copies or recovers. */
async function killOnceRestoring(stage: TestStage, order: readonly string[]): Promise<void> {
  const program = join(import.meta.dirname, '..', 'dist', 'understudy.mjs');
  const child = spawn(process.execPath, [program, ...order], { cwd: stage.directory, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const data = join(stage.record.root, 'db3', 'data');
  await until('it restores', async () => existsSync(`${data}.kept-1`) && existsSync(join(data, 'base')), 110_000);
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(`${data}.restore.json`)).toBe(true);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const told = z.object({ node: z.string(), others: z.array(z.string()), term: z.number(), kept: z.string() });

test.runIf(process.env.TEST_LONG === '1')(
  'a cluster is taken back to a moment in its place',
  { timeout: 600_000 },
  async () => {
    await withStage({ nodes: 3, appNodes: 1 }, async (stage) => {
      await beginBackups(stage);
      const before = await write(stage, 1, 200);
      await pause(1_100);
      const moment = new Date();
      await pause(1_100);
      // Over a change of the timeline, and on more than the moment needs.
      await write(stage, 1_001, 100);
      expect((await stage.cli('switchover', '--to', 'db1')).code).toBe(0);
      await stage.untilWhole();
      const after = await write(stage, 2_001, 100);
      await stage.local('db1', 'select pg_switch_wal()');
      const order = ['restore', '--to', moment.toISOString(), '--into', 'db3', '--json', '--yes'];
      const living = await stage.cli(...order);
      expect([living.code, living.stderr]).toEqual([3, expect.stringContaining('db3 lives')]);
      const latest = await stage.cli('restore', '--to', 'latest', '--into', 'db3', '--yes');
      expect([latest.code, latest.stderr]).toEqual([3, expect.stringContaining('reinit db3 --from-backups')]);

      const stopped = await stage.cli('stage', 'stop');
      expect(stopped.code, stopped.stderr).toBe(0);
      for (const kind of ['agent', 'fence', 'postmaster', 'backend'] as const)
        expect(stage.processes(kind)).toEqual([]);
      const planned = await stage.cli(...order.filter((word) => word !== '--json'), '--dry-run');
      expect([planned.code, planned.stdout], planned.stderr).toEqual([
        0,
        expect.stringMatching(
          /kept .*db3\/data\.kept-1.*goes back the whole cluster.*db3 is primary; db1, db2 come back/s,
        ),
      ]);
      const began = performance.now();
      await killOnceRestoring(stage, order);
      let restored = await stage.cli(...order);
      // What the server sent last may have come in the meantime.
      if (restored.code === 3) restored = await stage.cli(...order);
      expect(restored.code, restored.stderr).toBe(0);
      console.log(`taken back in ${Math.round(performance.now() - began)} ms`);
      const outcome = told.parse(JSON.parse(restored.stdout));
      expect(outcome).toMatchObject({ node: 'db3', others: ['db1', 'db2'] });
      expect(existsSync(join(outcome.kept, 'PG_VERSION'))).toBe(true);
      expect(outcome.kept).toMatch(/\.kept-1$/);
      // Told once, it would go back again from there, and keep what is there now.
      const twice = await stage.cli(...order, '--dry-run');
      expect([twice.code, twice.stdout], twice.stderr).toEqual([0, expect.stringContaining('.kept-2')]);

      const up = await stage.cli('stage', 'up', '--detach');
      expect(up.code, `${up.stdout}\n${up.stderr}`).toBe(0);
      const { primary } = await stage.untilWhole(180_000);
      expect(primary).toBe('db3');
      const there = await rowsOn(stage, 'db3');
      expect(before.filter(({ id }) => !there.includes(id))).toEqual([]);
      expect(there.filter((id) => after.some((one) => one.id === id) || id > 200)).toEqual([]);
      await write(stage, 5_001, 20);
      for (const node of ['db1', 'db2']) {
        await until(
          'it has the same',
          async () => JSON.stringify(await rowsOn(stage, node)) === JSON.stringify(await rowsOn(stage, 'db3')),
        );
      }
      const again = await stage.cli('backup', 'now');
      expect(again.code, again.stderr).toBe(0);
      console.log((await stage.cli('backup', 'list')).stdout);
      console.log((await stage.cli('status')).stdout);
      // The number after the newest is the first node's: each has one of its own.
      expect((await stage.cli('events')).stdout).toMatch(/db3 took the whole cluster back to .*: timeline 6, from/);
    });
  },
);
