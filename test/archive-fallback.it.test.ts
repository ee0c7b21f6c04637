/** A standby whose primary no longer has the WAL that it needs, and an archive that does: on two real servers and pgBackRest. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ArchivingServer, ask, openArchivingServer } from './fixtures/archiving-server.ts';
import { soon, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let db1: TestNode;
let db2: TestNode;
const rows = async ({ sql }: TestNode) => await ask(sql, 'select count(*)::text as value from public.said');

beforeAll(async () => {
  server = await openArchivingServer(['db1', 'db2'], { max_slot_wal_keep_size: '16MB', wal_keep_size: '0' });
  db1 = server.db1;
  db2 = server.cluster.node('db2');
  await db1.sql.execute('create table public.said (what text)', 10_000);
}, 120_000);

afterAll(async () => await server?.close());

/** Until its slot is lost. */
async function outgrowBudget(): Promise<void> {
  const status = `select coalesce(wal_status, '') as value from pg_replication_slots where slot_name = '${db2.slot}'`;
  await until('the slot is lost', async () => {
    const insert = `insert into public.said select repeat('x', 1000) from generate_series(1, 4000)`;
    await db1.sql.execute(`${insert}; select pg_switch_wal()`, 10_000);
    await server.archived();
    await db1.sql.execute('checkpoint', 10_000);
    return (await ask(db1.sql, status))[0] === 'lost';
  });
}

it('goes on from the archive where the primary has it no more, and streams alone again', async () => {
  await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
  await outgrowBudget();
  await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
  await until('it can not stream', async () => (await db2.observe('standby')).cannotStream === 'wal-removed');
  const { readsArchive, replayedLsn } = await db2.observe('standby');
  expect(readsArchive).toBe(false);
  // As the primary's agent does with a slot that was lost.
  await db1.postgres.applySlots([{ name: db2.slot, advanceTo: null }], soon);

  const restoreCommand = server.repositoryOf('db2').commands.restore;
  expect(await db2.postgres.follow(db1.upstream, db2.slot, { ...soon, restoreCommand })).toBe(true);
  await until('it streams', async () => (await db2.observe('standby')).receiver === 'streaming', 60_000);
  const caughtUp = await db2.observe('standby');
  expect(caughtUp).toMatchObject({ readsArchive: true });
  expect(caughtUp.replayedLsn).toBeGreaterThan(replayedLsn);

  expect(await db2.postgres.follow(db1.upstream, db2.slot, soon)).toBe(true);
  await db1.sql.execute(`insert into public.said values ('last')`, 10_000);
  const end = (await db1.observe('primary')).insertLsn;
  await until('it has it all', async () => (await db2.observe('standby')).replayedLsn >= end);
  expect(await db2.observe('standby')).toMatchObject({
    readsArchive: false,
    receiver: 'streaming',
    cannotStream: null,
  });
  expect(await rows(db2)).toEqual(await rows(db1));
});

it('reads from no archive any more when it is cut off, or started again', async () => {
  const restoreCommand = server.repositoryOf('db2').commands.restore;
  for (const act of ['cut', 'start']) {
    await db2.postgres.follow(db1.upstream, db2.slot, { ...soon, restoreCommand });
    await until('it reads from it', async () => (await db2.observe('standby')).readsArchive);
    if (act === 'cut') await db2.postgres.cutOff(soon);
    else {
      await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
      await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
    }
    await until('it reads from none', async () => !(await db2.observe('standby')).readsArchive);
  }
});
