/** Restored directories and the servers on them, against a real server and pgBackRest with a repository in a directory. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import type { Target } from '../src/core/backups/target.ts';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { createRepository } from '../src/pgbackrest/repository.ts';
import type { Repository } from '../src/ports/repository.ts';
import { type Binaries, findBinaries } from '../src/postgres/binaries.ts';
import { readControl } from '../src/postgres/control-file.ts';
import type { Session } from '../src/postgres/session.ts';
import { ownProcesses, processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { type InstanceRequest, startInstance } from '../src/restoring/instance.ts';
import { planRestore, portTarget, restoreDirectory } from '../src/restoring/restore-directory.ts';
import { freePort } from './fixtures/free-port.ts';
import {
  openTestCluster,
  soon,
  type TestCluster,
  type TestNode,
  testClock,
  until,
} from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let cluster: TestCluster;
let db1: TestNode;
let repository: Repository;
let binaries: Binaries;
let port: number;
/** Of commits, each between two others. */
const moments: string[] = [];

const text = z.object({ value: z.string() });
const ask = async (session: Session, value: string): Promise<readonly string[]> =>
  (await session.query({ text: value, row: text }, 10_000)).map((row) => row.value);
const refusedWith = async (act: Promise<unknown>): Promise<string> =>
  await act.then(
    () => 'nothing',
    (error: unknown) => (isUnderstudyError(error) ? `${error.code} ${error.message}` : String(error)),
  );

const said = `select what as value from public.said order by 1`;
const now = `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as value`;
const time = (value: string): Target => ({ type: 'time', value, atMs: Date.parse(value) });

const place = (name: string) => join(cluster.directory, name);
const parts = () => ({
  repository,
  clock: testClock,
  stateDirectory: place('rates'),
  live: [db1.layout.data],
});
const wish = (target: Target, into: string, delta = false) => ({
  ...{ target, into, delta, action: 'pause' as const, timeline: 'latest' as const, archives: false },
  ...{ segmentBytes: 16 * 1024 * 1024, window: null },
});
async function planOf(target: Target, into: string, delta = false) {
  const planned = await planRestore(parts(), wish(target, into, delta), soon);
  if ('notPossible' in planned) throw new Error(planned.notPossible.text);
  return planned.plan;
}
const instanceOf = (target: Target, data: string, hold: 'pause' | 'promote'): InstanceRequest => ({
  ...{ data, directory: place('i'), port, binaries, hold, timeline: 'latest' },
  target: portTarget(target),
});

beforeAll(async () => {
  cluster = await openTestCluster({ nodes: ['db1'] });
  db1 = cluster.node('db1');
  const { major, port: clusterPort } = cluster.spec.postgres;
  binaries = await findBinaries(major, null);
  port = await freePort(['127.0.0.1']);
  repository = createRepository({
    ...{ cluster: 'test', major, stateDirectory: place('state'), program: null },
    server: { dataDirectory: db1.layout.data, socketDirectory: db1.layout.run, port: clusterPort },
  });
  mkdirSync(place('repository'));
  await repository.configure({
    backups: { ...defaultBackups, to: { kind: 'directory', path: place('repository') } },
    secret: { passphrase: 'a passphrase', credentials: { kind: 'none' } },
  });
  const parameters = {
    ...db1.configuration.parameters,
    archive_mode: 'on',
    archive_command: repository.commands.archive,
  };
  await db1.postgres.configure({ ...db1.configuration, parameters }, soon);
  await db1.postgres.initialise(soon);
  await db1.postgres.start({ role: 'primary' }, soon);
  await repository.createStanza(soon);
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await repository.backup('full', () => undefined, soon);
  // Labels and ends of backups are of whole seconds.
  await db1.sql.execute('select pg_sleep(1.1)', 10_000);
  for (const what of ['1', '2', '3']) {
    await db1.sql.execute(`insert into public.said values ('${what}')`, 10_000);
    moments.push(...(await ask(db1.sql, now)));
  }
  await db1.sql.execute(`select pg_create_restore_point('before')`, 10_000);
  await db1.sql.execute(`insert into public.said values ('4')`, 10_000);
  const [name = ''] = await ask(db1.sql, 'select pg_walfile_name(pg_switch_wal()) as value');
  await until('it is archived', async () => ((await repository.contents(soon)).archived?.last ?? '') >= name, 90_000);
});

afterAll(async () => {
  await db1?.postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  const senders = () => ownProcesses((pid) => readCommandLine(pid).some((word) => word.includes(cluster.directory)));
  await until('nothing is sent any more', async () => {
    for (const sender of senders()) sendSignal(sender, 'SIGKILL');
    return senders().length === 0;
  });
  cluster?.close();
});

it('plans what is possible, and refuses every directory that is not for it', async () => {
  const plan = await planOf(time(moments[1] ?? ''), place('restored'));
  expect(plan).toMatchObject({ kept: null, expectedMs: null, destination: { found: 'nothing', obstacles: [] } });
  expect(plan.bytes).toBeGreaterThan(1_000_000);
  expect(existsSync(place('restored'))).toBe(false);
  mkdirSync(place('foreign'));
  writeFileSync(place('foreign/letter'), 'dear');
  const refused = [db1.layout.data, join(db1.layout.data, 'base/inner'), cluster.directory, place('foreign')];
  for (const into of refused) {
    const each = await planOf({ type: 'latest' }, into);
    expect(each.destination.obstacles).not.toEqual([]);
    expect(await refusedWith(restoreDirectory(parts(), each, () => undefined, soon))).toContain('REFUSED');
  }
  expect(readFileSync(place('foreign/letter'), 'utf8')).toBe('dear');
  expect(await planRestore(parts(), wish(time('2020-01-01T00:00:00Z'), place('restored')), soon)).toMatchObject({
    notPossible: { because: 'too-early' },
  });
});

it('waits at a moment, goes on to a later one, and never writes', async () => {
  const plan = await planOf(time(moments[0] ?? ''), place('restored'));
  await restoreDirectory(parts(), plan, () => undefined, soon);
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
  await restoreDirectory(parts(), plan, () => undefined, soon);
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
  await restoreDirectory(parts(), again, () => undefined, soon);
  const first = await startInstance(instanceOf(time(moments[0] ?? ''), place('restored'), 'promote'), testClock, soon);
  expect(await ask(first.session, said)).toEqual(['1']);
  await first.stop(soon);
  expect(await ask(db1.sql, said)).toEqual(['1', '2', '3', '4']);
});
