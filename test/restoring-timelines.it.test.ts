/** Restores over a failover whose timeline has not the next number: on two real servers and pgBackRest. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Target } from '../src/core/backups/target.ts';
import { startInstance } from '../src/restoring/instance.ts';
import { endMark } from '../src/restoring/mark.ts';
import { recoverDirectory } from '../src/restoring/recover.ts';
import { restoreDirectory } from '../src/restoring/restore-directory.ts';
import { type ArchivingServer, ask, now, openArchivingServer, time } from './fixtures/archiving-server.ts';
import { soon, type TestNode, testClock, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let db1: TestNode;
let db2: TestNode;
const moments = { before: '', abandoned: '', after: '' };

const write = (node: TestNode, what: string) =>
  node.sql.execute(`insert into public.said values ('${what}'); select pg_sleep(0.01)`, 10_000);
const moment = async (node: TestNode): Promise<string> => (await ask(node.sql, now))[0] ?? '';

beforeAll(async () => {
  server = await openArchivingServer(['db1', 'db2']);
  db1 = server.db1;
  db2 = server.cluster.node('db2');
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await server.repository.backup('full', () => undefined, soon);
  await db1.sql.execute('select pg_sleep(1.1)', 10_000);
  await write(db1, '1');
  moments.before = await moment(db1);
  await write(db1, '2');
  const end = (await db1.observe('primary')).insertLsn;
  await until('db2 has it', async () => (await db2.observe('standby')).replayedLsn >= end);
  await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
  // What db1 alone had, and archived all the same.
  await write(db1, 'lost');
  moments.abandoned = await moment(db1);
  await write(db1, 'lost, too');
  await server.archived();
  await server.repository.backup('full', () => undefined, soon);
  await db1.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
  await db2.postgres.start({ role: 'standby', upstream: null, slot: db2.slot }, soon);
  // Timelines 2 and 3 belong to terms of which nothing was ever archived.
  await db2.postgres.promote(4, soon);
  await write(db2, '3');
  moments.after = await moment(db2);
  await write(db2, '4');
  await server.archived(db2);
}, 120_000);

afterAll(async () => await server?.close());

async function restored(target: Target): Promise<{ readonly rows: readonly string[]; readonly timeline: number }> {
  const { binaries, parts, place, port } = server;
  const into = place('restored');
  const plan = await server.planOf(target, into, true);
  const outcome = await restoreDirectory(parts, plan, () => undefined, soon);
  const how = { clock: testClock, binaries, stateDirectory: place('rates'), directory: place('i'), port };
  const { timeline } = await recoverDirectory(how, plan, outcome, () => undefined, soon);
  endMark(into, 'restored');
  const request = { data: into, directory: place('i'), port, binaries, hold: 'promote', timeline: 'latest' } as const;
  const instance = await startInstance({ ...request, target: { type: 'default' } }, testClock, soon);
  const rows = await ask(instance.session, 'select what as value from public.said order by 1');
  await instance.stop(soon);
  return { rows, timeline };
}

it('knows the way to the newest timeline, past numbers that are missing', async () => {
  const path = await server.repository.newestPath(soon);
  expect(path.map(({ timeline }) => timeline)).toEqual([1, 4]);
});

it('ends at the newest timeline, and passes over a backup of what nobody went on with', async () => {
  expect((await server.repository.contents(soon)).backups).toHaveLength(2);
  expect(await restored({ type: 'latest' })).toEqual({ rows: ['1', '2', '3', '4'], timeline: 5 });
  expect((await restored(time(moments.after))).rows).toEqual(['1', '2', '3']);
});

it('reaches a moment before the switch, and takes one on the abandoned end for what the cluster was', async () => {
  expect((await restored(time(moments.before))).rows).toEqual(['1']);
  expect((await restored(time(moments.abandoned))).rows).toEqual(['1', '2']);
});
