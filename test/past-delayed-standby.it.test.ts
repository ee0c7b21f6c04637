/** The past from a delayed standby, where there is no repository: a mistake that it has received and not replayed. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { usualLimits } from '../src/core/backups/past-limits.ts';
import { decidePastSource, type PastSource } from '../src/core/backups/past-source.ts';
import { endOne, sweep } from '../src/past/ending.ts';
import { openPast } from '../src/past/instances.ts';
import { movePast } from '../src/past/moving.ts';
import { type PastParts, socketDirectory } from '../src/past/parts.ts';
import { dataOf, type InstanceRecord, openScratch, type PastTarget } from '../src/past/scratch.ts';
import type { PastWish } from '../src/past/wish.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import type { Session } from '../src/postgres/session.ts';
import { ownProcesses, processesIn, readCommandLine } from '../src/process/identity.ts';
import { type DelayedStandby, type SeenStandby, seeStandby } from '../src/restoring/delayed-standby.ts';
import { untilInstant } from './fixtures/child.ts';
import { spawnPast } from './fixtures/past-child.ts';
import {
  openTestCluster,
  soon,
  startPrimary,
  startStandby,
  type TestCluster,
  type TestNode,
  testClock,
  until,
} from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';
import { stubRepository } from './fixtures/stub-repository.ts';

const quiet = { onMethod: () => undefined, onRestored: () => undefined, onReplayed: () => undefined };
const bounds = { withinMs: 90_000 };
const delayMs = 4 * 3_600_000;

let cluster: TestCluster;
let db1: TestNode;
let db2: TestNode;
let standby: DelayedStandby;
/** Before the right change, after it, where that ended in the WAL, and after the mistake. */
const moments: PastTarget[] = [];

const at = (name: string) => join(cluster.directory, name);
const value = z.object({ value: z.string() });

async function ask({ query }: Session, text: string): Promise<string> {
  return (await query({ text, row: value }, 10_000))[0]?.value ?? '';
}

async function note(): Promise<void> {
  // Commits have parts of a millisecond.
  const atMs = Date.now() + 1;
  moments.push({ type: 'time', value: new Date(atMs).toISOString(), atMs });
  await db1.sql.execute('SELECT pg_sleep(0.01)', 10_000);
}

beforeAll(async () => {
  leaveRoot();
  cluster = await openTestCluster({ nodes: ['db1', 'db2'], delaysMs: { db2: delayMs } });
  [db1, db2] = [cluster.node('db1'), cluster.node('db2')];
  const identifier = await startPrimary(cluster, 'db1', ['db2']);
  await db1.sql.execute(
    'CREATE TABLE public.users AS SELECT n AS id, 0 AS said FROM generate_series(1, 100) n',
    10_000,
  );
  await startStandby(cluster, 'db2', 'db1', identifier);
  const { major, port } = cluster.spec.postgres;
  const binaries = await findBinaries(major, null);
  standby = { node: 'db2', data: db2.layout.data, socketDirectory: db2.layout.run, port, binaries };
  // Where it has replayed no commit yet, what it has is known by its checkpoint: to the second.
  await db1.sql.execute('SELECT pg_sleep(1.1)', 10_000);
  await note();
  await db1.sql.execute('UPDATE public.users SET said = id', 10_000);
  await note();
  moments.push({ type: 'lsn', value: await ask(db1.sql, 'select pg_current_wal_lsn()::text as value') });
  await db1.sql.execute('SELECT pg_switch_wal()', 10_000);
  await db1.sql.execute('UPDATE public.users SET said = 7', 10_000);
  await note();
  await db1.sql.execute('DELETE FROM public.users', 10_000);
  const end = await ask(db1.sql, 'select pg_current_wal_flush_lsn()::text as value');
  const has = `select (pg_last_wal_receive_lsn() >= '${end}')::text as value`;
  await until('it is received', async () => (await ask(db2.sql, has)) === 'true');
});

afterAll(async () => {
  for (const node of [db2, db1]) await node?.postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  cluster?.close();
});

function partsIn(name: string): PastParts {
  return {
    ...{ node: 'db2', repository: stubRepository({}), binaries: standby.binaries, clock: testClock, run: at('r') },
    scratch: openScratch(at(name)),
  };
}

function target(index: number): PastTarget {
  const found = moments[index];
  if (found === undefined) throw new Error('no such moment');
  return found;
}

async function seen(): Promise<SeenStandby> {
  const found = await seeStandby(standby, testClock, soon);
  if ('unfit' in found) throw new Error(found.unfit);
  return found;
}

async function decided(target: PastTarget): Promise<PastSource> {
  const { reach } = await seen();
  return decidePastSource({ target, standby: reach, hasRepository: false, standbyAlone: false, onward: null });
}

async function wishFor(target: PastTarget): Promise<PastWish> {
  expect(await decided(target)).toMatchObject({ from: 'standby' });
  const { walBytes, ...source } = await seen();
  // A test's disk has little to keep free.
  const because = 'it has it';
  return { target, source: { ...source, from: 'standby', because, walBytes: Math.min(walBytes ?? 0, 1) }, ...life };
}
const life = { lifeMs: 3_600_000, limits: usualLimits };

async function saidIn(parts: PastParts, { id, port }: InstanceRecord): Promise<unknown> {
  const client = new pg.Client({ host: socketDirectory(parts, id), port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    await expect(client.query('DELETE FROM public.users')).rejects.toThrow('read-only');
    return (await client.query('SELECT count(*)::int AS rows, sum(said)::int AS said FROM public.users')).rows[0];
  } finally {
    await client.end();
  }
}

/** Everything about the standby that an instance could have changed. */
async function standing(): Promise<readonly string[]> {
  return [
    await ask(
      db2.sql,
      "select string_agg(name || '=' || coalesce(setting, ''), ' ' order by name) as value from pg_settings",
    ),
    await ask(db2.sql, 'select concat(pg_is_in_recovery(), pg_is_wal_replay_paused()) as value'),
    await ask(db2.sql, 'select concat(status, slot_name) as value from pg_stat_wal_receiver'),
    await ask(db2.sql, 'select count(*)::text as value from public.users'),
  ];
}

async function nothingLeft(parts: PastParts): Promise<void> {
  expect(parts.scratch.instances()).toEqual([]);
  // The lock of somebody who died is free.
  expect(readdirSync(parts.scratch.directory).filter((name) => name !== 'lock')).toEqual([]);
  // Both end with the sessions of whoever had them, which the server notices.
  await until('no slot and no copy is left', async () => {
    const slots = await ask(db2.sql, 'select count(*)::text as value from pg_replication_slots');
    const senders = await ask(db2.sql, 'select count(*)::text as value from pg_stat_replication');
    return slots === '0' && senders === '0';
  });
}

it('shows the rows as they were before the mistake, and goes on as it did', async () => {
  const parts = partsIn('scratch');
  const before = await standing();
  const first = await openPast(parts, await wishFor(target(1)), quiet, bounds);
  expect(first).toMatchObject({ method: 'delayed-standby', label: null, because: 'it has it', state: 'open' });
  expect(await saidIn(parts, first)).toEqual({ rows: 100, said: 5_050 });
  const forward = await movePast(parts, first, await wishFor(target(3)), quiet, bounds);
  expect([forward.openedAtMs, await saidIn(parts, forward)]).toEqual([first.openedAtMs, { rows: 100, said: 700 }]);
  const back = await movePast(parts, forward, await wishFor(target(0)), quiet, bounds);
  expect([back.id, await saidIn(parts, back)]).toEqual([first.id, { rows: 100, said: 0 }]);
  expect(await endOne(parts, back, { warm: true })).toBe(true);
  const byPosition = await openPast(parts, await wishFor(target(2)), quiet, bounds);
  expect(await saidIn(parts, byPosition)).toEqual({ rows: 100, said: 5_050 });
  expect(await endOne(parts, byPosition, { warm: true })).toBe(true);
  expect(await standing()).toEqual(before);
  await nothingLeft(parts);
});

it('says what it has, and what it does not', async () => {
  const { reach } = await seen();
  expect(reach.received.lastCommitAt ?? '').toSatisfy((at: string) => at > target(3).value);
  expect(reach.replayed.lastCommitAt ?? '').toSatisfy((at: string) => at < target(0).value);
  const now: PastTarget = { type: 'time', value: new Date().toISOString(), atMs: Date.now() };
  expect(await decided(now)).toMatchObject({ isLater: true, refused: 'db2 has not received that moment yet' });
  expect(await decided({ type: 'lsn', value: reach.replayed.lsn })).toMatchObject({
    refused: 'db2 has replayed past it',
  });
});

it.for(['copied', 'replayed'] as const)('leaves nothing where it is killed while it is %s', async (when) => {
  const parts = partsIn(`killed-${when}`);
  const input = { scratch: parts.scratch.directory, run: parts.run, data: standby.data, port: standby.port };
  const { major } = cluster.spec.postgres;
  const about = { socketDirectory: standby.socketDirectory, major, time: target(1).value };
  const child = spawnPast(cluster.directory, { ...input, ...about });
  const data = dataOf(parts.scratch.place('p1'));
  const sign = when === 'copied' ? join(data, 'base') : join(socketDirectory(parts, 'p1'), 'instance.json');
  await untilInstant(child, () => existsSync(sign));
  child.kill('SIGKILL');
  await until('it is dead', () => Promise.resolve(child.signalCode !== null));
  expect(await sweep(parts)).toEqual([{ id: 'p1', because: 'abandoned' }]);
  expect(processesIn(data)).toEqual([]);
  const copies = () => ownProcesses((pid) => readCommandLine(pid).some((word) => word.startsWith(data)));
  expect(copies()).toEqual([]);
  await nothingLeft(parts);
});

it('knows what it has received, too, when it was restarted and streams no more', async () => {
  const { reach } = await seen();
  await db2.postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
  await until('it lets somebody in', async () => (await db2.postgres.observe(2_000)).state === 'standby');
  const again = (await seen()).reach;
  expect(again.received.lastCommitAt).toBe(reach.received.lastCommitAt);
  expect((again.replayed.lastCommitAt ?? '') < target(0).value).toBe(true);
  const parts = partsIn('restarted');
  const open = await openPast(parts, await wishFor(target(3)), quiet, bounds);
  expect(await saidIn(parts, open)).toEqual({ rows: 100, said: 700 });
  expect(await endOne(parts, open, { warm: true })).toBe(true);
});

it('is no insurance less for it: it replays what it has when its time comes', async () => {
  await db2.postgres.configure(
    { ...db2.configuration, parameters: { ...db2.configuration.parameters, recovery_min_apply_delay: '0' } },
    soon,
  );
  await until('everything is replayed', async () => {
    return (await ask(db2.sql, 'select count(*)::text as value from public.users')) === '0';
  });
  expect(await decided(target(1))).toMatchObject({ refused: 'db2 has replayed past it' });
});
