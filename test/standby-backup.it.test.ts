/** Backups from a standby against two real servers and pgBackRest, with everything between them but the agents. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import type { PrimaryEnd } from '../src/ports/repository.ts';
import { ownProcesses, readCommandLine } from '../src/process/identity.ts';
import { startInstance } from '../src/restoring/instance.ts';
import { endMark } from '../src/restoring/mark.ts';
import { portTarget, restoreDirectory } from '../src/restoring/restore-directory.ts';
import { type ArchivingServer, ask, openArchivingServer } from './fixtures/archiving-server.ts';
import { bundle } from './fixtures/bundle.ts';
import { soon, type TestNode, testClock, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let db1: TestNode;
/** Whose other ends are the primary's. */
let way: Server;
let dialled: Socket[];
let fetchedBytes: number;
let served: string[];

beforeAll(async () => {
  server = await openArchivingServer(['db1', 'db2']);
  ({ db1 } = server);
  await bundle(server.cluster.directory, 'passage', 'src/passage/main.ts');
  way = createServer((socket) => {
    const end = (because: string) => void served.push(because);
    server
      .repositoryOf('db1')
      .serve(socket, soon)
      .then(
        () => end('ended'),
        (error: unknown) => end(String(error)),
      );
  });
  await new Promise<void>((resolve) => void way.listen(server.place('way'), resolve));
  await db1.sql.execute('create table public.said (what int, filler text)', 10_000);
  await db1.sql.execute(`insert into public.said select g, repeat('x', 500) from generate_series(1, 40000) g`, 60_000);
});
beforeEach(() => {
  [dialled, fetchedBytes, served] = [[], 0, []];
});
afterAll(async () => {
  way?.close();
  await server?.close();
});

async function dialPrimary(): Promise<PrimaryEnd> {
  const connection = connect(server.place('way'));
  connection.on('data', (chunk) => {
    fetchedBytes += chunk.length;
  });
  connection.pause();
  dialled.push(connection);
  return { connection, dataDirectory: db1.layout.data };
}

const nothing = () => undefined;
const fromStandby = (kind: 'full' | 'differential', onProgress: () => void = nothing, dial = dialPrimary) =>
  server.repositoryOf('db2').backup(kind, onProgress, { ...soon, dialPrimary: dial });
/** What makes a backup, on either side. */
const atWork = () =>
  ownProcesses((pid) => {
    const line = readCommandLine(pid);
    const isOurs = line.some((word) => word.includes(server.cluster.directory));
    return isOurs && line.some((word) => /^backup(:|$)|passage\.mjs$/.test(word));
  });
const count = 'select count(*)::text as value from public.said';
const sum = `select md5(string_agg(what::text || filler, ',' order by what)) as value from public.said`;

/** From the newest backup to the end of the archive, and asked. */
async function restored(name: string, ...queries: readonly string[]): Promise<readonly string[]> {
  const plan = await server.planOf({ type: 'latest' }, server.place(name));
  await restoreDirectory(server.parts, plan, nothing, soon);
  const instance = await startInstance(
    {
      ...{ data: server.place(name), directory: server.place('i'), port: server.port, binaries: server.binaries },
      ...{ hold: 'promote', timeline: 'latest', target: portTarget(plan.wish.target) },
    },
    testClock,
    soon,
  );
  try {
    const answers: string[] = [];
    for (const query of queries) answers.push(...(await ask(instance.session, query)));
    return answers;
  } finally {
    await instance.stop(soon);
    endMark(plan.destination.into, 'restored');
  }
}

it('copies most from the standby, the rest from the primary, and restores to what the primary has', async () => {
  const made = await fromStandby('full');
  expect(made).toMatchObject({ kind: 'full', hasDamage: false });
  expect(dialled).toHaveLength(2);
  expect(fetchedBytes).toBeGreaterThan(10_000);
  expect(fetchedBytes).toBeLessThan(made.databaseBytes / 4);
  await until('the primary has nothing more to do', async () => served.length === 2);
  expect(served).toEqual(['ended', 'ended']);
  await db1.sql.execute(`insert into public.said select g, 'later' from generate_series(40001, 41000) g`, 60_000);
  const differential = await fromStandby('differential');
  expect(differential).toMatchObject({ kind: 'differential', prior: made.label });
  await server.archived();
  expect(await restored('restored', count, sum)).toEqual(['41000', ...(await ask(db1.sql, sum))]);
  expect(await server.repository.verify(nothing, soon)).toEqual({ isSound: true, findings: [] });
});

it('leaves nothing running on either side when the way is cut in the middle, and the next one is made', async () => {
  const cut = () => {
    for (const socket of dialled) socket.destroy();
  };
  await expect(fromStandby('full', cut)).rejects.toThrow();
  await until('nothing is left', async () => atWork().length === 0 && served.length === dialled.length);
  expect(
    (await ask(db1.sql, `select count(*)::text as value from pg_stat_activity where query ~ 'backup_start'`))[0],
  ).toBe('1');
  const repository = server.repositoryOf('db1');
  expect((await repository.backup('differential', nothing, soon)).kind).toBe('differential');
  expect((await fromStandby('differential')).kind).toBe('differential');
});

it('begins nothing when the primary refuses it', async () => {
  const before = (await server.repository.contents(soon)).backups.length;
  const refuse = () => Promise.reject(new UnderstudyError('REFUSED', 'pgBackRest is 2.45 here and 2.55 there'));
  await expect(fromStandby('full', nothing, refuse)).rejects.toThrow('pgBackRest is 2.45 here and 2.55 there');
  expect(atWork()).toEqual([]);
  expect((await server.repository.contents(soon)).backups).toHaveLength(before);
});
