/** Proofs of backups, against a real server and pgBackRest with a repository in a directory. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import type { ProofResult, ProofStep, Span } from '../src/core/backups/proof.ts';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { createRepository } from '../src/pgbackrest/repository.ts';
import type { Prover } from '../src/ports/prover.ts';
import type { Repository } from '../src/ports/repository.ts';
import { findBinaries } from '../src/postgres/binaries.ts';
import { ownProcesses, processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { createProver } from '../src/proof/prove.ts';
import {
  openTestCluster,
  soon,
  type TestCluster,
  type TestNode,
  testClock,
  until,
} from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';
import { windowOf } from './fixtures/proof-window.ts';

leaveRoot();

let cluster: TestCluster;
let db1: TestNode;
let repository: Repository;
let prover: Prover;
let major: number;
/** While all was well, and after an index lost its rows. */
let sound: Span;
let broken: Span;
const steps: ProofStep[] = [];

const place = (name: string) => join(cluster.directory, name);
const nameOf = z.object({ name: z.string() });
const reports = { onStep: (step: ProofStep) => void steps.push(step), onProgress: () => undefined };

/** When it was committed, in ms. */
const beat = async (): Promise<number> => (await db1.postgres.heartbeat(soon)).atMs;
const rest = (ms: number) => db1.sql.execute(`select pg_sleep(${ms / 1_000})`, 10_000);

async function archiveAll(): Promise<void> {
  const [segment] = await db1.sql.query(
    { text: 'select pg_walfile_name(pg_switch_wal()) as name', row: nameOf },
    10_000,
  );
  const isThere = async () => ((await repository.contents(soon)).archived?.last ?? '') >= (segment?.name ?? 'none');
  await until('it is archived', isThere, 90_000);
}

async function prove(span: Span, wanted: string | null = null): Promise<ProofResult> {
  steps.length = 0;
  const signal = new AbortController().signal;
  const result = await prover.prove(
    repository,
    { window: windowOf(span), segmentBytes: 4 * 1024 * 1024, wanted },
    reports,
    signal,
  );
  expect([existsSync(place('proof')), existsSync(place('p'))]).toEqual([false, false]);
  return result;
}

beforeAll(async () => {
  cluster = await openTestCluster({ nodes: ['db1'] });
  db1 = cluster.node('db1');
  const { port } = cluster.spec.postgres;
  major = cluster.spec.postgres.major;
  repository = createRepository({
    ...{ cluster: 'test', major, stateDirectory: place('state') },
    server: { dataDirectory: db1.layout.data, socketDirectory: db1.layout.run, port },
  });
  prover = createProver({
    ...{ clock: testClock, binaries: () => findBinaries(major, null), draw: () => 0.5 },
    ...{ scratch: place('proof'), sockets: place('p') },
  });
  mkdirSync(place('repository'));
  await repository.configure({
    backups: { ...defaultBackups, to: { kind: 'directory', path: place('repository') } },
    secret: { passphrase: 'a passphrase', credentials: { kind: 'none' } },
  });
  const archive = { archive_mode: 'on', archive_command: repository.commands.archive };
  const parameters = { ...db1.configuration.parameters, ...archive };
  await db1.postgres.configure({ ...db1.configuration, parameters }, soon);
  await db1.postgres.initialise(soon);
  await db1.postgres.start({ role: 'primary' }, soon);
  await repository.createStanza(soon);
  await beat();
  await db1.sql.execute(
    `create function public.f(n int) returns int immutable language sql as 'select n';
     create table public.said (n int);
     insert into public.said select generate_series(1, 1000);
     create index said_f on public.said (public.f(n))`,
    10_000,
  );
  const backup = await repository.backup('full', () => undefined, soon);
  // The end of a backup is known to the second, so a proof keeps two away from it.
  await rest(2_500);
  const fromMs = Date.parse(backup.finishedAt);
  await beat();
  await rest(1_000);
  sound = { fromMs, toMs: await beat() };
  // What the index was made by is something else now: not one row has its entry any more.
  await db1.sql.execute(
    `create or replace function public.f(n int) returns int immutable language sql as 'select -n'`,
    10_000,
  );
  const brokenFromMs = await beat();
  await rest(3_000);
  broken = { fromMs: brokenFromMs, toMs: await beat() };
  await archiveAll();
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

it('proves a moment, step after step, and leaves nothing', async () => {
  const before = await repository.contents(soon);
  const result = await prove(sound);
  expect(result).toMatchObject({ findings: [], failedIn: null, label: before.backups[0]?.label });
  expect(result.checks.map(({ step }) => step)).toEqual(['restore', 'recover', 'heartbeat', 'amcheck', 'dump']);
  expect(steps).toEqual(result.checks.map(({ step }) => step));
  expect(result.walBytes).toBeGreaterThan(0);
  expect(Date.parse(result.moment)).toBeGreaterThan(sound.fromMs);
  // It was promoted on a timeline of its own, and nobody was told.
  expect((await repository.contents(soon)).archived).toEqual(before.archived);
});

it('has proven what it has, though it can not remove everything at once', async () => {
  let refusals = 0;
  /** Pauses of that length are made by who waits to remove it alone. */
  const sleep: typeof testClock.sleep = async (ms, signal) => {
    if (ms < 5_000) return await testClock.sleep(ms, signal);
    refusals += 1;
    chmodSync(place('held'), 0o700);
  };
  mkdirSync(place('held'));
  const holding = createProver({
    ...{ clock: { ...testClock, sleep }, binaries: () => findBinaries(major, null), draw: () => 0.5 },
    ...{ scratch: place('held/proof'), sockets: place('p') },
  });
  const result = await holding.prove(
    repository,
    { window: windowOf(sound), segmentBytes: 4 * 1024 * 1024, wanted: null },
    { ...reports, onStep: (step) => void (step === 'dump' && chmodSync(place('held'), 0o500)) },
    new AbortController().signal,
  );
  expect(result).toMatchObject({ findings: [], failedIn: null });
  expect(refusals).toBe(1);
  expect(readdirSync(place('held'))).toEqual([]);
});

it('finds nothing where its server was ended by somebody', async () => {
  const end = (step: ProofStep): void => {
    if (step === 'amcheck') for (const each of processesIn(place('proof/data'))) sendSignal(each, 'SIGKILL');
  };
  const wish = { window: windowOf(sound), segmentBytes: 4 * 1024 * 1024, wanted: null };
  await expect(
    prover.prove(repository, wish, { ...reports, onStep: end }, new AbortController().signal),
  ).rejects.toThrow('amcheck could not be tried');
  expect([existsSync(place('proof')), existsSync(place('p'))]).toEqual([false, false]);
});

it('finds an index that lacks rows', async () => {
  const result = await prove(broken);
  expect(result.failedIn).toBe('amcheck');
  expect(result.findings.join()).toMatch(
    /postgres: btree index "postgres.public.said_f": .*lacks matching index tuple/,
  );
});

it('finds a history in which nobody wrote', async () => {
  const wanted = new Date(broken.toMs + 3_600_000).toISOString();
  // No moment so late can be reached; an earlier one can, and its heartbeat is missing where the table was emptied.
  await expect(prove(broken, wanted)).rejects.toSatisfy((error) => isUnderstudyError(error, 'REFUSED'));
  await db1.sql.execute('delete from understudy.heartbeat', 10_000);
  const emptyFromMs = Date.now() - 1_900;
  await rest(1_000);
  const toMs = Date.now();
  await db1.sql.execute(`insert into public.said values (0)`, 10_000);
  await archiveAll();
  const result = await prove({ fromMs: emptyFromMs, toMs }, new Date(toMs - 100).toISOString());
  expect(result).toMatchObject({ failedIn: 'heartbeat', findings: [expect.stringContaining('no heartbeat')] });
});

it.each<ProofStep>(['restore', 'amcheck'])('is swept away when it was killed at %s', async (at) => {
  const script = fileURLToPath(new URL('./fixtures/proof-process.ts', import.meta.url));
  const words = [cluster.directory, String(major), String(sound.fromMs), String(sound.toMs)];
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...words], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, TMPDIR: cluster.directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until('it is there', async () => said.includes(`${at}\n`) && existsSync(place('killed')), 60_000);
  child.kill('SIGKILL');
  await ended;
  expect(said.trim().split('\n').at(-1)).toBe(at);
  const heir = createProver({
    ...{ clock: testClock, binaries: () => findBinaries(major, null), draw: () => 0.5 },
    ...{ scratch: place('killed'), sockets: place('k') },
  });
  await until('it can be swept', () =>
    heir.sweep().then(
      () => true,
      () => false,
    ),
  );
  const left = () => ownProcesses((pid) => readCommandLine(pid).some((word) => word.includes(place('killed'))));
  await until('no process of it is left', async () => left().length + processesIn(place('killed')).length === 0);
  expect([existsSync(place('killed')), existsSync(place('k'))]).toEqual([false, false]);
});

/** Every file below, the largest first. */
function filesIn(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  return names.filter((name) => statSync(name).isFile()).toSorted((a, b) => statSync(b).size - statSync(a).size);
}

/** Behind what begins an encrypted file, so that it looks like one. Answers how to put it back. */
function flip(file: string): () => void {
  const whole = readFileSync(file);
  const changed = whole.map((byte, at) => (at >= 16 && at < 4_096 ? byte ^ 0xff : byte));
  writeFileSync(file, changed);
  return () => writeFileSync(file, whole);
}

it('finds archived WAL that was changed', async () => {
  const { backups } = await repository.contents(soon);
  const stanza = `test-${major}`;
  // The one with the moment in it: the first that the backup itself does not need.
  const after = filesIn(place(`repository/archive/${stanza}`)).filter((name) => {
    const segment = /\/([0-9A-F]{24})-/.exec(name)?.[1];
    return segment !== undefined && segment > (backups[0]?.lastWal ?? '');
  });
  expect(after).not.toEqual([]);
  const putBack = after.map(flip);
  const result = await prove(sound);
  for (const back of putBack) back();
  expect(result).toMatchObject({ failedIn: 'recover', checks: [{ step: 'restore' }] });
  expect(result.findings.join()).toMatch(/WAL can't be replayed from backup \S+ to .*unable to get [0-9A-F]{24}/);
});

// pgBackRest asks for the file for most of a minute.
it.runIf(process.env.TEST_LONG === '1')('finds a backup that was changed', async () => {
  const [largest = ''] = filesIn(place(`repository/backup/test-${major}`));
  const putBack = flip(largest);
  const result = await prove(sound);
  putBack();
  expect(result).toMatchObject({ failedIn: 'restore', checks: [] });
  expect(result.findings.join()).toContain(`backup ${result.label} can't be restored`);
  expect((await prove(sound)).findings).toEqual([]);
});
