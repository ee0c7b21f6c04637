import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { archiveSlot } from '../src/core/rules/archiving.ts';
import type { ServerConfiguration } from '../src/ports/postgres.ts';
import { openTestCluster, soon, type TestCluster, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let cluster: TestCluster;
let db1: TestNode;
let db2: TestNode;
let archive: string;

beforeEach(async () => {
  cluster = await openTestCluster({ nodes: ['db1', 'db2'] });
  db1 = cluster.node('db1');
  db2 = cluster.node('db2');
  archive = join(cluster.directory, 'archive');
  mkdirSync(archive);
}, 60_000);
afterEach(() => cluster.close());

/** Copies segments, and never comes to an end while `stuck` is there. */
function archiving({ configuration, layout }: TestNode): ServerConfiguration {
  const stuck = `while [ -e ${archive}/stuck ]; do sleep 0.1; done`;
  const copy = `test ! -e ${archive}/%f -o -e ${archive}/again && cp %p ${archive}/%f`;
  return {
    ...configuration,
    parameters: {
      ...configuration.parameters,
      archive_mode: 'on',
      archive_command: `if [ -e '${layout.archiveHold}' ]; then exit 126; fi; ${stuck}; ${copy}`,
    },
  };
}

async function startBoth(): Promise<void> {
  for (const node of [db1, db2]) await node.postgres.configure(archiving(node), soon);
  const { systemIdentifier } = await db1.postgres.initialise(soon);
  await db1.postgres.start({ role: 'primary' }, soon);
  await db1.postgres.applySlots([{ name: db2.slot, advanceTo: null }], soon);
  await db2.postgres.clone(db1.upstream, { systemIdentifier, slot: db2.slot, diverged: false }, () => undefined, soon);
  await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
  await db2.postgres.applySlots(
    [
      { name: db1.slot, advanceTo: null },
      { name: archiveSlot, advanceTo: null },
    ],
    soon,
  );
}

const segments = () => readdirSync(archive).filter((name) => /^[0-9A-F]{24}$/.test(name));

async function writeSegments(node: TestNode, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await node.sql.execute('select pg_logical_emit_message(false, $$t$$, $$x$$); select pg_switch_wal()', 10_000);
  }
}

it('what nobody archived of a primary that is gone, the next one archives, also after restart points', async () => {
  await startBoth();
  await until('it archives', async () => segments().length > 0);
  writeFileSync(join(archive, 'stuck'), '');
  await writeSegments(db1, 8);
  const before = segments().length;
  const end = (await db1.observe('primary')).insertLsn;
  await until('db2 has it all', async () => (await db2.observe('standby')).replayedLsn >= end);
  await db1.sql.execute('checkpoint', 10_000);
  await db2.sql.execute('checkpoint', 10_000);
  await db2.sql.execute('checkpoint', 10_000);
  await db1.postgres.stop({ patienceMs: 0, awaitStandby: null }, soon);
  rmSync(join(archive, 'stuck'));
  // As a standby that was restarted where a segment ends leaves it: without any mark.
  const [unmarked = ''] = readdirSync(db2.layout.archiveStatus).filter((name) => /^[0-9A-F]{24}\.done$/.test(name));
  rmSync(join(db2.layout.archiveStatus, unmarked));
  await db2.postgres.promote(null, soon);
  expect(await db2.postgres.archiveReceived(null)).toBeGreaterThanOrEqual(8);
  writeFileSync(join(archive, 'again'), '');
  await until('all of it is archived', async () => segments().length >= before + 8);
  const numbers = segments()
    .filter((name) => name.startsWith('00000001'))
    .map((name) => Number.parseInt(name.slice(16), 16));
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  await until('its history, too', async () => existsSync(join(archive, '00000002.history')));
}, 120_000);

it('nothing is archived again that is known to be, and a restart goes on where it was', async () => {
  await startBoth();
  await writeSegments(db1, 3);
  const after = await until('the archiver says how far it is', async () => {
    const { archiver, insertLsn } = await db1.observe('primary');
    return archiver.waiting === 0 && archiver.archivedTo !== null && insertLsn - archiver.archivedTo < 16n * 1024n ** 2n
      ? archiver.archivedTo
      : undefined;
  });
  await until('db2 has it', async () => (await db2.observe('standby')).replayedLsn >= after);
  await db1.postgres.stop({ patienceMs: 10_000, awaitStandby: 'db2' }, soon);
  expect(existsSync(db1.layout.archiveHold)).toBe(false);
  await db2.postgres.promote(null, soon);
  expect(await db2.postgres.archiveReceived(after)).toBeLessThanOrEqual(1);
  expect(await db2.postgres.archiveReceived(after)).toBe(0);
}, 120_000);

it('a stop does not wait for an archiver that does not come to its end, and is clean', async () => {
  await startBoth();
  writeFileSync(join(archive, 'stuck'), '');
  await writeSegments(db1, 2);
  await until('it is stuck', async () => (await db1.observe('primary')).archiver.waiting > 0);
  const { clean } = await db1.postgres.stop({ patienceMs: 20_000, awaitStandby: 'db2' }, soon);
  expect(clean).not.toBeNull();
  await db1.observe('stopped');
  rmSync(join(archive, 'stuck'));
  await db1.postgres.start({ role: 'primary' }, soon);
  await until('it goes on', async () => (await db1.observe('primary')).archiver.waiting === 0);
}, 120_000);

it('tells what it can not archive', async () => {
  await startBoth();
  await until('it archives', async () => segments().length > 0);
  rmSync(archive, { recursive: true });
  await writeSegments(db1, 1);
  await until('it says so', async () => (await db1.observe('primary')).archiver.failing !== null);
  mkdirSync(archive);
  await until('and says no more', async () => (await db1.observe('primary')).archiver.failing === null);
}, 120_000);
