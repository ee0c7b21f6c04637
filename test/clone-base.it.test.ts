/** A standby's base from the repository instead of its primary: on two real servers and pgBackRest. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import type { CloneBase } from '../src/ports/clone-bases.ts';
import { createCloneBases } from '../src/restoring/clone-bases.ts';
import { readPastRestores } from '../src/restoring/rates.ts';
import { type ArchivingServer, ask, openArchivingServer } from './fixtures/archiving-server.ts';
import { soon, type TestNode, testClock, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let db1: TestNode;
let db2: TestNode;
const rows = async ({ sql }: TestNode) => await ask(sql, 'select count(*)::text as value from public.said');
const identity = `select system_identifier::text as value from pg_control_system()`;

const basesOf = () =>
  createCloneBases({
    repository: () => server.repositoryOf('db2'),
    binaries: () => Promise.resolve(server.binaries),
    port: () => server.port,
    ...{ clock: testClock, stateDirectory: server.place('rates-db2'), directory: server.place('b') },
  });

async function baseFor(timeline: number): Promise<CloneBase> {
  const chosen = await basesOf().choose({ asked: 'backups', timeline }, soon);
  if ('because' in chosen) throw new Error(chosen.because);
  return chosen.base;
}

async function clone(base: CloneBase): Promise<void> {
  await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
  const [systemIdentifier = ''] = await ask(db1.sql, identity);
  const expected = { systemIdentifier, slot: db2.slot, diverged: false, base };
  await db2.postgres.clone(db1.upstream, expected, () => undefined, soon);
}

async function streamsAgain(): Promise<void> {
  await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
  await db1.sql.execute(`insert into public.said values ('last')`, 10_000);
  const end = (await db1.observe('primary')).insertLsn;
  await until('it has it all', async () => (await db2.observe('standby')).replayedLsn >= end);
  expect(await db2.observe('standby')).toMatchObject({ readsArchive: false, receiver: 'streaming' });
  expect(await rows(db2)).toEqual(await rows(db1));
}

beforeAll(async () => {
  server = await openArchivingServer(['db1', 'db2']);
  db1 = server.db1;
  db2 = server.cluster.node('db2');
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await server.repository.backup('full', () => undefined, soon);
  await db1.sql.execute(`insert into public.said select 'archived' from generate_series(1, 1000)`, 10_000);
  await server.archived();
}, 120_000);

afterAll(async () => await server?.close());

it('is as complete as a copy of the primary, streams alone, and leaves nothing of the restore', async () => {
  await db1.sql.execute(`insert into public.said select 'only there' from generate_series(1, 1000)`, 10_000);
  const acknowledged = (await db2.observe('standby')).replayedLsn;
  const base = await baseFor(1);
  await clone(base);
  const { data } = db2.layout;
  expect(readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')).not.toMatch(/restore_command|recovery_target/);
  expect([
    existsSync(join(data, 'standby.signal')),
    existsSync(server.place('b')),
    existsSync(`${data}.kept-1`),
  ]).toEqual([true, false, true]);
  // Before it has heard anything: an election may count on it.
  await db2.postgres.start({ role: 'standby', upstream: null, slot: db2.slot }, soon);
  expect((await db2.observe('standby')).replayedLsn).toBeGreaterThanOrEqual(acknowledged);
  await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
  await streamsAgain();
  expect(readPastRestores(server.place('rates-db2'))).toHaveLength(1);
}, 120_000);

it('leaves the old directory where it is when the repository fails in the middle', async () => {
  const before = await rows(db2);
  const base = await baseFor(1);
  const [here, away] = [server.place('repository'), server.place('away')];
  renameSync(here, away);
  try {
    const error: unknown = await clone(base).then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(isUnderstudyError(error)).toBe(true);
  } finally {
    renameSync(away, here);
  }
  expect(existsSync(db2.layout.incoming)).toBe(false);
  await streamsAgain();
  expect(Number((await rows(db2))[0])).toBe(Number(before[0]) + 1);
}, 120_000);

it('is not chosen by itself before both ways were measured, nor for a timeline that is not archived', async () => {
  const bases = basesOf();
  expect(await bases.choose({ asked: null, timeline: 1 }, soon)).toEqual({
    because: expect.stringContaining('how quick a copy of the primary is'),
  });
  bases.copied({ bytes: 1, ms: 1_000_000 });
  expect(await bases.choose({ asked: null, timeline: 1 }, soon)).toMatchObject({ base: { label: expect.any(String) } });
  expect(await bases.choose({ asked: 'backups', timeline: 2 }, soon)).toEqual({
    because: expect.stringContaining('not of timeline 2'),
  });
}, 60_000);
