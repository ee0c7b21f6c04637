/**
 * A restore that is killed in the middle, and the same one again: on a real server and pgBackRest. Played with `TEST_LONG=1`, since
 * its instants are met and not held: on a machine that is busy one may pass before it is seen, and the test says so.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPostmasterFile } from '../src/postgres/postmaster-file.ts';
import { ownProcesses, processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { startInstance } from '../src/restoring/instance.ts';
import { endMark, readMark } from '../src/restoring/mark.ts';
import { recoverDirectory } from '../src/restoring/recover.ts';
import { type RestorePlan, restoreDirectory } from '../src/restoring/restore-directory.ts';
import { type ArchivingServer, ask, now, openArchivingServer, time } from './fixtures/archiving-server.ts';
import { untilInstant } from './fixtures/child.ts';
import { soon, testClock } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';
import { spawnRestore } from './fixtures/restore-child.ts';

leaveRoot();

const isLong = process.env.TEST_LONG === '1';
const it = test.runIf(isLong);

let server: ArchivingServer;
let into: string;
let moment: string;
const said = 'select what as value from public.said order by 1';

beforeAll(async () => {
  if (!isLong) return;
  server = await openArchivingServer();
  const { db1, repository } = server;
  into = server.place('restored');
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await repository.backup('full', () => undefined, soon);
  await db1.sql.execute('select pg_sleep(1.1)', 10_000);
  await db1.sql.execute(`insert into public.said values ('1')`, 10_000);
  [moment = ''] = await ask(db1.sql, now);
  await db1.sql.execute(`insert into public.said values ('2')`, 10_000);
  await server.archived();
});

afterAll(async () => await server?.close());

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function again(plan: RestorePlan) {
  const { binaries, parts, place, port } = server;
  const restored = await restoreDirectory(parts, plan, () => undefined, soon);
  const how = { clock: testClock, binaries, stateDirectory: place('rates'), directory: place('i'), port };
  const recovered = await recoverDirectory(how, plan, restored, () => undefined, soon);
  endMark(into, 'restored');
  return { restored, recovered };
}

async function rowsIn(data: string): Promise<readonly string[]> {
  const { binaries, place, port } = server;
  const request = { data, directory: place('i'), port, binaries, hold: 'promote', timeline: 'latest' } as const;
  const instance = await startInstance({ ...request, target: { type: 'default' } }, testClock, soon);
  const rows = await ask(instance.session, said);
  await instance.stop(soon);
  return rows;
}

it('goes on where it was killed while files were copied, and keeps what was there', async () => {
  // What lies there is a whole data directory already.
  await again(await server.planOf(time(moment), into));
  writeFileSync(join(into, 'known'), 'by this');
  const child = spawnRestore(server, into, moment);
  const program = () => ownProcesses((pid) => readCommandLine(pid).includes(`--pg1-path=${into}`));
  await untilInstant(
    child,
    () => existsSync(join(into, 'base')) && readMark(into)?.state === 'restoring' && !existsSync(join(into, 'known')),
  );
  for (const each of program()) sendSignal(each, 'SIGSTOP');
  expect((await server.planOf(time(moment), into)).destination.obstacles.join()).toMatch(/restores into .* right now/);
  await kill(child);
  for (const each of program()) sendSignal(each, 'SIGCONT');
  expect(readMark(into)?.state).toBe('restoring');
  const plan = await server.planOf(time(moment), into);
  expect(plan).toMatchObject({
    continues: 'copying',
    kept: server.place('restored.kept-1'),
    destination: { obstacles: [] },
  });
  const { recovered } = await again(plan);
  expect(recovered.timeline).toBe(2);
  expect(existsSync(server.place('restored.kept-1/known'))).toBe(true);
  expect(existsSync(server.place('restored.kept-2'))).toBe(false);
  expect(await rowsIn(into)).toEqual(['1']);
});

it('ends the server that was left, and replays on', async () => {
  const child = spawnRestore(server, into, moment);
  await untilInstant(child, () => {
    const file = readPostmasterFile(join(into, 'postmaster.pid'));
    return readMark(into)?.state === 'recovering' && file !== null && processesIn(into).length > 1;
  });
  const left = processesIn(into);
  for (const each of left) sendSignal(each, 'SIGSTOP');
  await kill(child);
  const plan = await server.planOf(time(moment), into);
  expect(plan).toMatchObject({ continues: 'recovering', kept: server.place('restored.kept-2') });
  expect(plan.destination.obstacles).toEqual([]);
  // To plan it touches nothing.
  expect(processesIn(into).length).toBeGreaterThanOrEqual(left.length);
  const { recovered, restored } = await again(plan);
  expect(restored.copyMs).toBe(null);
  expect(recovered.timeline).toBe(2);
  expect(await rowsIn(into)).toEqual(['1']);
  expect(await rowsIn(server.place('restored.kept-2'))).toEqual(['1']);
});

it('copies over what was left when the target is another', async () => {
  const child = spawnRestore(server, into, moment);
  await untilInstant(child, () => readMark(into)?.state === 'recovering' && processesIn(into).length > 1);
  await kill(child);
  const latest = await server.planOf({ type: 'latest' }, into);
  expect(latest).toMatchObject({ continues: 'copying', kept: server.place('restored.kept-3') });
  const { restored } = await again(latest);
  expect(restored.copyMs).not.toBe(null);
  expect(await rowsIn(into)).toEqual(['1', '2']);
});
