/** Instances of the past of a real server with a tablespace, by each way that a file system offers, from a repository in a directory. */
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { chooseBackup } from '../src/core/backups/choice.ts';
import { usualLimits } from '../src/core/backups/past-limits.ts';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { endOne, sweep } from '../src/past/ending.ts';
import { openPast } from '../src/past/instances.ts';
import { movePast } from '../src/past/moving.ts';
import { type PastParts, socketDirectory } from '../src/past/parts.ts';
import { dataOf, type InstanceRecord, openScratch, type PastTarget } from '../src/past/scratch.ts';
import { createRepository } from '../src/pgbackrest/repository.ts';
import type { Repository } from '../src/ports/repository.ts';
import { type Binaries, findBinaries } from '../src/postgres/binaries.ts';
import { ownProcesses, processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import {
  openTestCluster,
  soon,
  type TestCluster,
  type TestNode,
  testClock,
  until,
} from './fixtures/postgres-cluster.ts';
import { type LoopDisk, mountLoopDisk } from './fixtures/postgres-loop-disk.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

const quiet = { onMethod: () => undefined, onRestored: () => undefined, onReplayed: () => undefined };
const segmentBytes = 16 * 1024 * 1024;
const bounds = { withinMs: 90_000 };

let cluster: TestCluster;
let db1: TestNode;
let repository: Repository;
let binaries: Binaries;
let btrfs: LoopDisk | null = null;
/** Each after one more row. */
const moments: PastTarget[] = [];

const at = (name: string) => join(cluster.directory, name);

beforeAll(async () => {
  btrfs = await mountLoopDisk(1_024, 'btrfs');
  leaveRoot();
  cluster = await openTestCluster({ nodes: ['db1'] });
  db1 = cluster.node('db1');
  const { major, port } = cluster.spec.postgres;
  binaries = await findBinaries(major, null);
  repository = createRepository({
    ...{ cluster: 'test', major, stateDirectory: at('state') },
    server: { dataDirectory: db1.layout.data, socketDirectory: db1.layout.run, port },
  });
  for (const name of ['repository', 'live']) mkdirSync(at(name), { mode: 0o700 });
  await repository.configure({
    backups: { ...defaultBackups, to: { kind: 'directory', path: at('repository') } },
    secret: { passphrase: 'a passphrase', credentials: { kind: 'none' } },
  });
  const archive = { archive_mode: 'on', archive_command: repository.commands.archive };
  await db1.postgres.configure(
    { ...db1.configuration, parameters: { ...db1.configuration.parameters, ...archive } },
    soon,
  );
  await db1.postgres.initialise(soon);
  await db1.postgres.start({ role: 'primary' }, soon);
  await repository.createStanza(soon);
  await db1.sql.execute(`CREATE TABLESPACE live LOCATION '${at('live')}'`, 10_000);
  await db1.sql.execute('CREATE TABLE public.said (n int) TABLESPACE live', 10_000);
  await repository.backup('full', () => undefined, bounds);
  // Labels and ends of backups are of whole seconds.
  await db1.sql.execute('SELECT pg_sleep(1.1)', 10_000);
  for (const n of [1, 2, 3]) {
    await db1.sql.execute(`INSERT INTO public.said VALUES (${n})`, 10_000);
    // The clock of a test knows whole milliseconds, and commits have parts of them.
    const atMs = Date.now() + 1;
    moments.push({ type: 'time', value: new Date(atMs).toISOString(), atMs });
    await db1.sql.execute('SELECT pg_sleep(0.01)', 10_000);
  }
  await db1.sql.execute('INSERT INTO public.said VALUES (4)', 10_000);
  const segment = { text: 'SELECT pg_walfile_name(pg_switch_wal()) AS name', row: z.object({ name: z.string() }) };
  const [switched] = await db1.sql.query(segment, 10_000);
  const isArchived = async () => ((await repository.contents(soon)).archived?.last ?? '') >= (switched?.name ?? 'none');
  await until('it is archived', isArchived, 90_000);
});

afterAll(async () => {
  await db1?.postgres.stop({ patienceMs: 1_000, awaitStandby: null }, soon);
  const senders = () => ownProcesses((pid) => readCommandLine(pid).some((word) => word.includes(cluster.directory)));
  await until('nothing is sent any more', async () => {
    for (const sender of senders()) sendSignal(sender, 'SIGKILL');
    return senders().length === 0;
  });
  cluster?.close();
  await btrfs?.unmount();
});

function partsIn(directory: string): PastParts {
  return {
    ...{ node: 'db1', repository, binaries, clock: testClock, run: at('r') },
    scratch: openScratch(join(directory, 'past')),
  };
}

async function wishFor(index: number, lifeMs = 3_600_000) {
  const target = moments[index];
  if (target === undefined) throw new Error('no such moment');
  const choice = chooseBackup(
    { contents: await repository.contents(soon), window: null, path: [], segmentBytes },
    target,
  );
  if ('notPossible' in choice) throw new Error(choice.notPossible.text);
  const { backup, walBytes } = choice.chosen;
  // A test's disk has little to keep free.
  const wal = { timeline: 'latest', walBytes: Math.min(walBytes ?? 0, segmentBytes) } as const;
  return { target, source: { from: 'repository' as const, backup, ...wal }, lifeMs, limits: usualLimits };
}

async function rowsOf(parts: PastParts, { id, port }: InstanceRecord): Promise<number> {
  const client = new pg.Client({ host: socketDirectory(parts, id), port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<{ rows: number }>('SELECT count(*)::int AS rows FROM public.said');
    return rows[0]?.rows ?? -1;
  } finally {
    await client.end();
  }
}

/** Every tablespace of it lies in its own place. */
function expectApart(parts: PastParts, { id }: InstanceRecord): void {
  const links = join(dataOf(parts.scratch.place(id)), 'pg_tblspc');
  const targets = readdirSync(links).map((name) => readlinkSync(join(links, name)));
  expect(targets).toEqual([expect.stringContaining(`${parts.scratch.place(id)}/`)]);
}

const waysOf = {
  'the file system of the tests': ['restore', 'roll-forward', 'roll-forward', 'delta'],
  btrfs: ['btrfs-snapshot', 'btrfs-snapshot', 'btrfs-snapshot', 'btrfs-snapshot'],
} as const;

it.for(['the file system of the tests', 'btrfs'] as const)('open, move and end on %s', async (name, { skip }) => {
  if (name === 'btrfs' && btrfs === null) return skip("btrfs can't be made and mounted here");
  const parts = partsIn(name === 'btrfs' && btrfs !== null ? btrfs.directory : at('scratch'));
  const seen: [string, number][] = [];
  const look = async (record: InstanceRecord): Promise<InstanceRecord> => {
    expectApart(parts, record);
    seen.push([record.method, await rowsOf(parts, record)]);
    return record;
  };
  await endOne(parts, await look(await openPast(parts, await wishFor(0), quiet, bounds)), { warm: true });
  const second = await look(await openPast(parts, await wishFor(1), quiet, bounds));
  const moved = await look(await movePast(parts, second, await wishFor(2), quiet, bounds));
  const back = await look(await movePast(parts, moved, await wishFor(0, 1), quiet, bounds));
  const [first, , third, fourth] = waysOf[name];
  expect(seen).toEqual([
    [first, 1],
    [waysOf[name][1], 2],
    [third, 3],
    [fourth, 1],
  ]);
  expect(await sweep(parts)).toEqual([{ id: back.id, because: 'expired' }]);
  expect(parts.scratch.instances()).toEqual([]);
  expect(processesIn(dataOf(parts.scratch.base))).toEqual([]);
  expect(readdirSync(at('live'))).toHaveLength(1);
});

it('of somebody who died are removed, and no more are open than may be', async () => {
  const parts = partsIn(at('abandoned'));
  const open = await openPast(parts, await wishFor(1), quiet, bounds);
  const refused = { ...(await wishFor(1)), limits: { maxInstances: 1, maxBytes: null } };
  await expect(openPast(parts, refused, quiet, bounds)).rejects.toThrow('no more than 1 may be');
  // Of no process that there ever was.
  parts.scratch.writeInstance({ ...open, state: 'opening', owner: { pid: process.pid, startTicks: 1 } });
  expect(await sweep(parts)).toEqual([{ id: open.id, because: 'abandoned' }]);
  expect(readdirSync(parts.scratch.directory)).toEqual([]);
  expect(processesIn(dataOf(parts.scratch.place(open.id)))).toEqual([]);
});

/** Calls it once, as soon as what is moved replays. */
async function moveMeanwhile(parts: PastParts, record: InstanceRecord, index: number, act: () => Promise<void>) {
  let acting: Promise<void> | null = null;
  const onReplayed = (): void => {
    acting ??= act();
  };
  const moved = await movePast(parts, record, await wishFor(index), { ...quiet, onReplayed }, bounds);
  expect(acting).not.toBeNull();
  await acting;
  return moved;
}

it('what is moved is ended by nobody, whatever was on record before', async () => {
  const parts = partsIn(at('raced'));
  // Over at once, so that whoever looked before it was moved is about to end it.
  const expired = await openPast(parts, await wishFor(0, 0), quiet, bounds);
  const asSeen: PastParts = { ...parts, scratch: { ...parts.scratch, instances: () => [expired] } };
  const other = await wishFor(2);
  let seen: readonly unknown[] = [];
  // All of them look for its lock at once, while it is moved.
  const moved = await moveMeanwhile(parts, expired, 1, async () => {
    seen = await Promise.all([
      sweep(asSeen),
      endOne(parts, expired, { warm: true }),
      movePast(parts, expired, other, quiet, bounds).catch(({ code }) => code),
    ]);
  });
  expect(seen).toEqual([[], false, 'CONFLICT']);
  expect(await rowsOf(parts, moved)).toBe(2);
  // The one that looked before comes to its lock only now: what is on record has another end.
  expect(await sweep(asSeen)).toEqual([]);
  expect(await rowsOf(parts, moved)).toBe(2);
  const back = await movePast(parts, moved, await wishFor(0), quiet, bounds);
  expect(await rowsOf(parts, back)).toBe(1);
  // It was of the same name, and is another.
  expect(await sweep(asSeen)).toEqual([]);
  await expect(movePast(parts, moved, await wishFor(2), quiet, bounds)).rejects.toThrow('it was ended meanwhile');
  expect(await endOne(parts, back, { warm: false })).toBe(true);
  expect(parts.scratch.instances()).toEqual([]);
  expect(readdirSync(parts.scratch.directory).filter((name) => name.endsWith('lock'))).toEqual([]);
});
