/** Restored directories and the servers on them, against a real server and pgBackRest with a repository in a directory. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Target } from '../src/core/backups/target.ts';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { readControl } from '../src/postgres/control-file.ts';
import { processesIn } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { type InstanceRequest, startInstance } from '../src/restoring/instance.ts';
import { endMark } from '../src/restoring/mark.ts';
import { planRestore, portTarget, type RestorePlan, restoreDirectory } from '../src/restoring/restore-directory.ts';
import { standbyMinimums } from '../src/restoring/standby-minimums.ts';
import { type ArchivingServer, ask, now, openArchivingServer, time } from './fixtures/archiving-server.ts';
import { soon, type TestCluster, type TestNode, testClock } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let cluster: TestCluster;
let db1: TestNode;
/** Of commits, each between two others. */
const moments: string[] = [];

const refusedWith = async (act: Promise<unknown>): Promise<string> =>
  await act.then(
    () => 'nothing',
    (error: unknown) => (isUnderstudyError(error) ? `${error.code} ${error.message}` : String(error)),
  );

const said = `select what as value from public.said order by 1`;

const place = (name: string) => server.place(name);
const planOf = (...args: Parameters<ArchivingServer['planOf']>) => server.planOf(...args);
const restored = async (plan: RestorePlan) => {
  await restoreDirectory(server.parts, plan, () => undefined, soon);
  endMark(plan.destination.into, 'restored');
};
const instanceOf = (target: Target, data: string, hold: 'pause' | 'promote'): InstanceRequest => ({
  ...{ data, directory: place('i'), port: server.port, binaries: server.binaries, hold, timeline: 'latest' },
  target: portTarget(target),
});

beforeAll(async () => {
  server = await openArchivingServer();
  ({ cluster, db1 } = server);
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await server.repository.backup('full', () => undefined, soon);
  // Labels and ends of backups are of whole seconds.
  await db1.sql.execute('select pg_sleep(1.1)', 10_000);
  for (const what of ['1', '2', '3']) {
    await db1.sql.execute(`insert into public.said values ('${what}')`, 10_000);
    moments.push(...(await ask(db1.sql, now)));
  }
  await db1.sql.execute(`select pg_create_restore_point('before')`, 10_000);
  await db1.sql.execute(`insert into public.said values ('4')`, 10_000);
  await server.archived();
});

afterAll(async () => await server?.close());

it('plans what is possible, and refuses every directory that is not for it', async () => {
  const plan = await planOf(time(moments[1] ?? ''), place('restored'));
  expect(plan).toMatchObject({ kept: null, expectedMs: null, destination: { found: 'nothing', obstacles: [] } });
  expect(plan.bytes).toBeGreaterThan(1_000_000);
  expect(plan.window).toMatchObject({
    stretches: [{ backups: [plan.backup.label], end: { because: 'archive-ends' } }],
  });
  expect(existsSync(place('restored'))).toBe(false);
  mkdirSync(place('foreign'));
  writeFileSync(place('foreign/letter'), 'dear');
  const refused = [db1.layout.data, join(db1.layout.data, 'base/inner'), cluster.directory, place('foreign')];
  for (const into of refused) {
    const each = await planOf({ type: 'latest' }, into);
    expect(each.destination.obstacles).not.toEqual([]);
    expect(await refusedWith(restored(each))).toContain('REFUSED');
  }
  expect(readFileSync(place('foreign/letter'), 'utf8')).toBe('dear');
  const wish = { ...plan.wish, target: time('2020-01-01T00:00:00Z') };
  expect(await planRestore(server.parts, wish, soon)).toMatchObject({ notPossible: { because: 'too-early' } });
});

it('waits at a moment, goes on to a later one, and never writes', async () => {
  const plan = await planOf(time(moments[0] ?? ''), place('restored'));
  await restored(plan);
  const first = await startInstance(instanceOf(time(moments[0] ?? ''), place('restored'), 'pause'), testClock, soon);
  expect(await ask(first.session, said)).toEqual(['1']);
  expect(first.reached.lastCommitAt?.localeCompare(moments[0] ?? '')).toBe(-1);
  expect(await refusedWith(first.session.execute(`insert into public.said values ('x')`, 5_000))).toContain('refused');
  expect(
    await ask(first.session, `select current_setting('archive_mode') || current_setting('listen_addresses') as value`),
  ).toEqual(['off']);
  // Whoever started it is gone, and comes again: with no word to the first.
  const second = await startInstance(instanceOf(time(moments[2] ?? ''), place('restored'), 'pause'), testClock, soon);
  expect(await ask(second.session, said)).toEqual(['1', '2', '3']);
  sendSignal(second.postmaster, 'SIGKILL');
  const named: Target = { type: 'name', value: 'before' };
  const third = await startInstance(instanceOf(named, place('restored'), 'pause'), testClock, soon);
  expect(await ask(third.session, said)).toEqual(['1', '2', '3']);
  await third.stop(soon);
  expect(processesIn(place('restored'))).toEqual([]);
});

it('says that a moment was passed, or not reached, and leaves nothing running', async () => {
  const back = startInstance(instanceOf(time(moments[0] ?? ''), place('restored'), 'pause'), testClock, soon);
  expect(await refusedWith(back)).toMatch(/^RESTORE_FAILED/);
  const late = instanceOf(time('2100-01-01T00:00:00Z'), place('restored'), 'pause');
  expect(await refusedWith(startInstance(late, testClock, soon))).toMatch(/^RESTORE_FAILED recovery ended/);
  expect(processesIn(place('restored'))).toEqual([]);
});

it('keeps what was there, is promoted at the end of the archive, and stops in order', async () => {
  const plan = await planOf({ type: 'latest' }, place('restored'));
  expect(plan.kept).toBe(place('restored.kept-1'));
  await restored(plan);
  expect(existsSync(place('restored.kept-1/PG_VERSION'))).toBe(true);
  const latest = await startInstance(instanceOf({ type: 'latest' }, place('restored'), 'promote'), testClock, soon);
  expect(latest.reached.timeline).toBe(2);
  expect(await ask(latest.session, said)).toEqual(['1', '2', '3', '4']);
  await latest.stop(soon);
  const control = readControl(place('restored/global/pg_control'));
  expect(control).toMatchObject({ control: { state: 'shut-down', checkpointTimeline: 2 } });
  // Over it, back to the first moment; and the live server noticed none of it.
  const again = await planOf(time(moments[0] ?? ''), place('restored'), true);
  expect(again.kept).toBe(null);
  await restored(again);
  const first = await startInstance(instanceOf(time(moments[0] ?? ''), place('restored'), 'promote'), testClock, soon);
  expect(await ask(first.session, said)).toEqual(['1']);
  await first.stop(soon);
  expect(await ask(db1.sql, said)).toEqual(['1', '2', '3', '4']);
});

it('is promoted under the settings of its WAL, also when they were raised: what follows it has no larger ones', async () => {
  const { configuration, postgres } = db1;
  const raised = { archive_mode: 'on', archive_command: server.repository.commands.archive, max_connections: '90' };
  await postgres.configure({ ...configuration, parameters: { ...configuration.parameters, ...raised } }, soon);
  await postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  await postgres.start({ role: 'primary' }, soon);
  await db1.sql.execute(`insert into public.said values ('5')`, 10_000);
  await server.archived();
  const plan = await planOf({ type: 'latest' }, place('raised'));
  await restored(plan);
  expect(await standbyMinimums(place('raised'), server.binaries)).toMatchObject({ max_connections: 30 });
  const latest = await startInstance(instanceOf({ type: 'latest' }, place('raised'), 'promote'), testClock, soon);
  expect(await ask(latest.session, said)).toEqual(['1', '2', '3', '4', '5']);
  await latest.stop(soon);
  expect(await standbyMinimums(place('raised'), server.binaries)).toMatchObject({ max_connections: 90 });
});

it('ends in error where a segment can not be fetched, not where the archive seems to end, and goes on when it can', async () => {
  await db1.sql.execute(`insert into public.said values ('6')`, 10_000);
  await server.archived();
  const all = readdirSync(cluster.directory, { recursive: true, encoding: 'utf8' });
  const newest =
    all
      .filter((path) => /\/[0-9A-F]{24}-[0-9a-f]{40}\.zst$/.test(path))
      .toSorted()
      .at(-1) ?? 'none';
  const file = join(cluster.directory, newest);
  await restored(await planOf({ type: 'latest' }, place('cut')));
  const recover = () => startInstance(instanceOf({ type: 'latest' }, place('cut'), 'promote'), testClock, soon);
  chmodSync(file, 0o000);
  expect(await refusedWith(recover())).toContain('RESTORE_FAILED');
  chmodSync(file, 0o600);
  const whole = await recover();
  expect(await ask(whole.session, said)).toEqual(['1', '2', '3', '4', '5', '6']);
  await whole.stop(soon);
});
