/** The adapter against real pgBackRest, a real server, and an S3 server over verified TLS. */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { createRepository } from '../src/pgbackrest/repository.ts';
import type { Repository, TransferProgress } from '../src/ports/repository.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import { createSession, type Session } from '../src/postgres/session.ts';
import { ownProcesses, readCommandLine } from '../src/process/identity.ts';
import { run } from '../src/process/run.ts';
import { sendSignal } from '../src/process/signal.ts';
import { type ObjectStore, startObjectStore } from './fixtures/object-store.ts';
import { openTestCluster, soon, type TestCluster, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

const secret = (store: ObjectStore, passphrase = 'a passphrase') => ({ passphrase, credentials: store.credentials });
const nothing = () => undefined;
const refusedWith = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return 'nothing';
  } catch (error) {
    return isUnderstudyError(error) ? error.code : String(error);
  }
};

let store: ObjectStore;
let cluster: TestCluster;
let db1: TestNode;
let repository: Repository;

function repositoryOf(node: TestNode, name = 'state', dataDirectory = node.layout.data): Repository {
  const { run: socketDirectory } = { run: join(cluster.directory, node.name, 'run') };
  return createRepository({
    cluster: 'test',
    major: cluster.spec.postgres.major,
    server: { dataDirectory, socketDirectory, port: cluster.spec.postgres.port },
    stateDirectory: join(cluster.directory, node.name, name),
  });
}

const configuration = (passphrase?: string, to = store.place) => ({
  backups: { ...defaultBackups, to },
  secret: secret(store, passphrase),
});

beforeAll(async () => {
  [store, cluster] = await Promise.all([startObjectStore(), openTestCluster({ nodes: ['db1', 'db2'] })]);
  db1 = cluster.node('db1');
  repository = repositoryOf(db1);
  const parameters = {
    ...db1.configuration.parameters,
    archive_mode: 'on',
    archive_command: repository.commands.archive,
  };
  await db1.postgres.configure({ ...db1.configuration, parameters }, soon);
  await db1.postgres.initialise(soon);
  await db1.postgres.start({ role: 'primary' }, soon);
});

/** Those of pgBackRest: what sends the WAL outlives the server that started it. */
const ours = (...words: readonly string[]) =>
  ownProcesses((pid) => {
    const line = readCommandLine(pid);
    return line.some((word) => word.includes(cluster.directory)) && words.every((word) => line.includes(word));
  });

afterAll(async () => {
  await db1?.postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  for (const sender of ours('archive-push:async')) sendSignal(sender, 'SIGKILL');
  await until('nothing is sent any more', async () => ours('archive-push:async').length === 0);
  cluster?.close();
  await store?.close();
});

const text = z.object({ value: z.string() });
const ask = async (session: Session, value: string): Promise<readonly string[]> =>
  (await session.query({ text: value, row: text }, 10_000)).map((row) => row.value);
const say = (what: string) => db1.sql.execute(`insert into public.said (what) values ('${what}')`, 10_000);
/** The segment that was written until now. */
const switchWal = async () => (await ask(db1.sql, 'select pg_walfile_name(pg_switch_wal()) as value'))[0] ?? '';
/** After three attempts the archiver rests for a minute (pgarch.c, PGARCH_AUTOWAKE_INTERVAL). */
const archiverRestsMs = 90_000;
const untilArchived = (name: string) =>
  until(
    `${name} is archived`,
    async () => ((await repository.contents(soon)).archived?.last ?? '') >= name,
    archiverRestsMs,
  );

it('does nothing before it is given the secret, and then keeps it where nobody else can read it', async () => {
  expect(await refusedWith(repository.contents(soon))).toBe('REPOSITORY_UNCONFIGURED');
  expect(await repository.configure(configuration())).toBe(true);
  expect(await repository.configure(configuration())).toBe(false);
  const file = join(cluster.directory, 'db1/state/pgbackrest/pgbackrest.conf');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain(store.credentials.keySecret);
  expect(repository.commands.archive + repository.commands.restore).not.toContain(store.credentials.keySecret);
  expect(await repository.contents(soon)).toMatchObject({ state: 'empty', trouble: null, backups: [] });
});

it('keeps a full and a differential backup with the WAL between them, and all of it encrypted', async () => {
  await repository.createStanza(soon);
  await repository.createStanza(soon);
  await db1.sql.execute('create table public.said (what text)', 10_000);
  await db1.sql.execute(`insert into public.said select 'filler ' || g from generate_series(1, 20000) g`, 10_000);
  const told: TransferProgress[] = [];
  const full = await repository.backup('full', (progress) => told.push(progress), soon);
  expect(full).toMatchObject({ kind: 'full', prior: null, hasDamage: false });
  const last = told.at(-1);
  expect(last?.bytesTotal).toBe(last?.bytesDone);
  expect(last?.bytesDone).toBeGreaterThan(0.9 * full.databaseBytes);
  const differential = await repository.backup('differential', nothing, soon);
  expect(differential).toMatchObject({ kind: 'differential', prior: full.label });
  expect(differential.repositoryBytes).toBeLessThan(full.repositoryBytes);
  const contents = await repository.contents(soon);
  expect(contents).toMatchObject({ state: 'ok', backups: [full, differential] });
  expect(contents.archived?.first).toBeDefined();
  const { archiver } = await db1.observe('primary');
  expect(await repository.archivedRanges(archiver.segmentBytes ?? 0, soon)).toEqual([contents.archived]);
  expect(store.objects('pg/').length).toBeGreaterThan(8);
  const info = store.objects('pg/backup/').find(({ key }) => key.endsWith('backup.info'))?.key ?? '';
  expect(store.read(info).toString('latin1')).not.toContain('system-id');
});

it('restores to a moment: what was committed before it is there, and nothing of later', async () => {
  await say('before');
  await say('just before');
  const [at = ''] = await ask(
    db1.sql,
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as value`,
  );
  await db1.sql.execute('select pg_sleep(0.1)', 10_000);
  await say('after');
  // Without a later commit in the archive PostgreSQL does not know that the target is reached.
  await untilArchived(await switchWal());
  const [set] = (await repository.contents(soon)).backups;
  const into = join(cluster.directory, 'restored');
  const run1 = join(cluster.directory, 'restored-run');
  mkdirSync(run1);
  const request = {
    set: set?.label ?? '',
    target: { type: 'time', value: at },
    into,
    action: 'pause',
    archives: false,
  } as const;
  const told: TransferProgress[] = [];
  await repository.restore({ ...request, delta: false, timeline: 'latest' }, (p) => told.push(p), soon);
  expect(told.at(-1)?.bytesTotal).toBe(told.at(-1)?.bytesDone);
  const { directory } = await findBinaries(cluster.spec.postgres.major, null);
  const own = `-c port=${cluster.spec.postgres.port} -c unix_socket_directories=${run1} -c listen_addresses= -c ssl=off`;
  const control = (...rest: string[]) => run(join(directory, 'pg_ctl'), ['-D', into, ...rest], { withinMs: 60_000 });
  await control('-w', '-o', own, '-l', join(cluster.directory, 'restored.log'), 'start');
  const sql = createSession({ socketDirectory: run1, port: cluster.spec.postgres.port });
  try {
    await until('replay is paused at the target', async () => {
      return (await ask(sql, 'select pg_get_wal_replay_pause_state() as value'))[0] === 'paused';
    });
    const rows = await ask(sql, `select what as value from public.said where what not like 'filler%' order by 1`);
    expect(rows).toEqual(['before', 'just before']);
    expect(await ask(sql, `select current_setting('archive_mode') as value`)).toEqual(['off']);
  } finally {
    sql.drop();
    await control('-m', 'immediate', 'stop');
  }
  // A second time over the first.
  const reused: TransferProgress[] = [];
  await repository.restore({ ...request, delta: true, timeline: 'latest' }, (p) => reused.push(p), soon);
  expect(await refusedWith(repository.restore({ ...request, delta: false, timeline: 'latest' }, nothing, soon))).toBe(
    'RESTORE_FAILED',
  );
});

it('removes nothing that is within its time, and tells what it removed', async () => {
  expect(await repository.expire(soon)).toEqual([]);
  expect((await repository.contents(soon)).backups).toHaveLength(2);
});

it('finds objects that were damaged', async () => {
  expect(await repository.verify(nothing, soon)).toEqual({ isSound: true, findings: [] });
  const bundle = store.objects('pg/backup/').find(({ key }) => key.includes('/bundle/'))?.key ?? '';
  const segment = store.objects('pg/archive/').find(({ key }) => key.endsWith('.zst'))?.key ?? '';
  // Both at once: each is tried again for 15 s.
  for (const key of [bundle, segment]) store.corrupt(key);
  const { isSound, findings } = await repository.verify(nothing, soon);
  expect(isSound).toBe(false);
  expect(findings.join('\n')).toMatch(/^backup .*checksum invalid: 1$/m);
  expect(findings.join('\n')).toMatch(/^archive \d+-1: (checksum invalid|other): 1$/m);
  for (const key of [bundle, segment]) store.corrupt(key);
});

it('tells another passphrase from a repository that can not be reached', async () => {
  const other = repositoryOf(db1, 'other-state');
  await other.configure(configuration('another passphrase'));
  expect((await other.contents(soon)).state).toBe('foreign');
  expect(await refusedWith(other.backup('full', nothing, soon))).toBe('REPOSITORY_PASSPHRASE');
  expect(await refusedWith(other.expire(soon))).toBe('REPOSITORY_PASSPHRASE');
  expect(await refusedWith(other.verify(nothing, soon))).toBe('REPOSITORY_PASSPHRASE');
  await other.configure({
    ...configuration(),
    secret: { passphrase: 'a passphrase', credentials: { ...store.credentials, keySecret: 'wrong' } },
  });
  const denied = await other.contents(soon);
  expect(denied.state).toBe('unreachable');
  expect(denied.trouble).toContain('403');
  await other.configure(configuration(undefined, { ...store.place, caFile: '/etc/ssl/certs/ca-certificates.crt' }));
  expect(await other.contents(soon)).toMatchObject({
    state: 'unreachable',
    trouble: expect.stringContaining('certificate'),
  });
});

it('begins nothing where there was something before', async () => {
  const elsewhere = repositoryOf(db1, 'emptied-state');
  const to = { kind: 'directory' as const, path: join(cluster.directory, 'emptied') };
  mkdirSync(to.path);
  const itsSecret = { passphrase: 'of another place', credentials: { kind: 'none' as const } };
  await elsewhere.configure({ backups: { ...defaultBackups, to }, secret: itsSecret });
  expect(await refusedWith(elsewhere.createStanza({ ...soon, hadAny: true }))).toBe('REPOSITORY_UNREACHABLE');
  expect(readdirSync(to.path)).toEqual([]);
});

it('is not set up for a place in the data directory', async () => {
  const elsewhere = repositoryOf(db1, 'within-state');
  const to = { kind: 'directory' as const, path: join(elsewhere.dataDirectory, 'backups') };
  const itsSecret = { passphrase: 'of another place', credentials: { kind: 'none' as const } };
  const configured = elsewhere.configure({ backups: { ...defaultBackups, to }, secret: itsSecret });
  expect(await refusedWith(configured)).toBe('REPOSITORY_UNCONFIGURED');
});

it('touches nothing of another cluster', async () => {
  const db2 = cluster.node('db2');
  await db2.configure();
  await db2.postgres.initialise(soon);
  await db2.postgres.start({ role: 'primary' }, soon);
  const other = repositoryOf(db2);
  await other.configure(configuration());
  const before = store.objects().map(({ key }) => key);
  expect((await other.contents(soon)).state).toBe('foreign');
  for (const act of ['createStanza', 'expire'] as const) {
    expect(await refusedWith(other[act](soon))).toBe('REPOSITORY_FOREIGN');
  }
  expect(await refusedWith(other.backup('full', nothing, soon))).toBe('REPOSITORY_FOREIGN');
  expect(store.objects().map(({ key }) => key)).toEqual(before);
});

it('keeps the WAL while nobody answers, and sends it when somebody does', async () => {
  await store.stop();
  expect(await repository.contents({ withinMs: 1_000 })).toMatchObject({ state: 'unreachable' });
  await switchWal();
  await say('while nobody answered');
  const name = await switchWal();
  await store.start();
  await untilArchived(name);
});

it('leaves nothing running of a backup that is cancelled in the middle, and makes the next one', async () => {
  const abort = new AbortController();
  const first = repository.backup('full', () => store.freeze(), { withinMs: 60_000, signal: abort.signal });
  const ended = refusedWith(first);
  await until('it hangs in the middle', async () => ours('backup').length > 0);
  store.thaw();
  abort.abort();
  expect(await ended).toBe('PROCESS_FAILED');
  expect(ours('backup')).toEqual([]);
  expect((await repository.backup('differential', nothing, soon)).kind).toBe('differential');
});
