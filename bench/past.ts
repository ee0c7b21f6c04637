/**
 * Seconds to an instance of the past that answers: for a database of a given size, the first time and the second, on ext4, on XFS with
 * reflinks and on btrfs; and then forward and backward. Each file system lies in a file of its own, so that they share one disk.
 *
 * `bench/past.ts [--gb 2]`, as root, since it mounts. Prints JSON. The repository is a directory of the same disk, encrypted; WAL of a tenth
 * of the database follows on the backup.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseBackup } from '../src/core/backups/choice.ts';
import { usualLimits } from '../src/core/backups/past-limits.ts';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { endOne } from '../src/past/ending.ts';
import { openPast } from '../src/past/instances.ts';
import { movePast } from '../src/past/moving.ts';
import type { PastParts } from '../src/past/parts.ts';
import { type InstanceRecord, openScratch, type PastTarget } from '../src/past/scratch.ts';
import type { PastWish } from '../src/past/wish.ts';
import { createRepository } from '../src/pgbackrest/repository.ts';
import type { Repository } from '../src/ports/repository.ts';
import { type Binaries, findBinaries } from '../src/postgres/binaries.ts';
import { openTestCluster, type TestCluster, testClock, until } from '../test/fixtures/postgres-cluster.ts';
import { type LoopDisk, mountLoopDisk } from '../test/fixtures/postgres-loop-disk.ts';
import { leaveRoot } from '../test/fixtures/postgres-user.ts';
import { rounded } from './figures.ts';
import { machineFacts } from './machine.ts';

const kinds = ['ext4', 'xfs', 'btrfs'] as const;
const bounds = { withinMs: 3_600_000 };
const segmentBytes = 16 * 1024 * 1024;
const quiet = { onMethod: () => undefined, onRestored: () => undefined, onReplayed: () => undefined };

interface World {
  readonly cluster: TestCluster;
  readonly repository: Repository;
  readonly binaries: Binaries;
}

async function openWorld(): Promise<World> {
  const cluster = await openTestCluster({ nodes: ['db1'] });
  const db1 = cluster.node('db1');
  const { major, port } = cluster.spec.postgres;
  const repository = createRepository({
    ...{ cluster: 'bench', major, stateDirectory: join(cluster.directory, 'state') },
    server: { dataDirectory: db1.layout.data, socketDirectory: db1.layout.run, port },
  });
  const path = join(cluster.directory, 'repository');
  mkdirSync(path);
  await repository.configure({
    backups: { ...defaultBackups, to: { kind: 'directory', path } },
    secret: { passphrase: 'of a measurement', credentials: { kind: 'none' } },
  });
  const archive = { archive_mode: 'on', archive_command: repository.commands.archive };
  const parameters = { ...db1.configuration.parameters, ...archive, max_wal_size: '4GB' };
  await db1.postgres.configure({ ...db1.configuration, parameters }, bounds);
  await db1.postgres.initialise(bounds);
  await db1.postgres.start({ role: 'primary' }, bounds);
  await repository.createStanza(bounds);
  return { cluster, repository, binaries: await findBinaries(major, null) };
}

/** Two moments after the backup, with half of the WAL before each. */
async function fill({ cluster, repository }: World, gb: number): Promise<readonly PastTarget[]> {
  const { sql } = cluster.node('db1');
  const execute = (text: string): Promise<unknown> => sql.execute(text, bounds.withinMs);
  await execute('CREATE TABLE public.numbers (id bigint PRIMARY KEY, filler text)');
  // Some 1 kB each, with its index; random, so that compression does not spare the work, and of each row anew.
  const rows = Math.round(gb * 1_000_000);
  const filler = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 29) WHERE n > 0)";
  for (let from = 1; from <= rows; from += 100_000) {
    const to = Math.min(rows, from + 99_999);
    await execute(`INSERT INTO public.numbers SELECT n, ${filler} FROM generate_series(${from}, ${to}) n`);
  }
  await execute('CHECKPOINT');
  await repository.backup('full', () => undefined, bounds);
  const targets: PastTarget[] = [];
  for (let part = 0; part < 2; part += 1) {
    await execute('SELECT pg_sleep(1.5)');
    await execute(`UPDATE public.numbers SET filler = reverse(filler) WHERE id % 40 = ${part}`);
    const atMs = Date.now();
    targets.push({ type: 'time', value: new Date(atMs).toISOString(), atMs });
  }
  await execute('SELECT pg_sleep(0.1)');
  await execute('INSERT INTO public.numbers VALUES (-1)');
  await execute('CREATE TABLE public.archived AS SELECT pg_walfile_name(pg_switch_wal()) AS segment');
  const [row] = await archivedSegment(cluster);
  await until('it is archived', async () => ((await repository.contents(bounds)).archived?.last ?? '') >= row, 600_000);
  return targets;
}

async function archivedSegment(cluster: TestCluster): Promise<readonly [string]> {
  const { z } = await import('zod');
  const query = { text: 'SELECT segment FROM public.archived', row: z.object({ segment: z.string() }) };
  const [found] = await cluster.node('db1').sql.query(query, 10_000);
  return [found?.segment ?? ''];
}

async function wishFor({ repository }: World, target: PastTarget): Promise<PastWish> {
  const contents = await repository.contents(bounds);
  const choice = chooseBackup({ contents, window: null, path: [], segmentBytes }, target);
  if ('notPossible' in choice) throw new Error(choice.notPossible.text);
  const { backup, walBytes } = choice.chosen;
  const source = { from: 'repository', backup, timeline: 'latest', walBytes } as const;
  return { target, source, lifeMs: 3_600_000, limits: usualLimits };
}

async function measure(world: World, disk: LoopDisk, [early, late]: readonly PastTarget[]) {
  if (early === undefined || late === undefined) throw new Error('two moments are needed');
  const parts: PastParts = {
    ...{ node: 'db1', repository: world.repository, binaries: world.binaries, clock: testClock },
    ...{ scratch: openScratch(join(disk.directory, 'past')), run: join(world.cluster.directory, 'r') },
  };
  const figures: Record<string, { readonly seconds: number; readonly method: string }> = {};
  const note = (name: string, { method, tookMs }: InstanceRecord): void => {
    figures[name] = { seconds: rounded((tookMs ?? 0) / 1_000), method };
  };
  const first = await openPast(parts, await wishFor(world, early), quiet, bounds);
  note('first', first);
  await endOne(parts, first, { warm: true });
  const second = await openPast(parts, await wishFor(world, early), quiet, bounds);
  note('second', second);
  const forward = await movePast(parts, second, await wishFor(world, late), quiet, bounds);
  note('forward', forward);
  const backward = await movePast(parts, forward, await wishFor(world, early), quiet, bounds);
  note('backward', backward);
  await endOne(parts, backward, { warm: false });
  return figures;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { gb: { type: 'string', default: '2' } } });
  const gb = Number(values.gb);
  if (!(gb > 0 && gb <= 1_000)) throw new Error('--gb takes a number above 0');
  const megabytes = Math.ceil(gb * 3 * 1_024) + 1_024;
  const disks: (readonly [string, LoopDisk | null])[] = [];
  try {
    for (const kind of kinds) disks.push([kind, await mountLoopDisk(megabytes, kind)]);
    leaveRoot();
    const world = await openWorld();
    try {
      const targets = await fill(world, gb);
      const contents = await world.repository.contents(bounds);
      const results: Record<string, unknown> = {};
      for (const [kind, disk] of disks) {
        results[kind] = disk === null ? "can't be mounted here" : await measure(world, disk, targets);
      }
      const databaseBytes = contents.backups[0]?.databaseBytes ?? 0;
      console.log(JSON.stringify({ machine: await machineFacts(), databaseBytes, results }, null, 2));
    } finally {
      await world.cluster.node('db1').postgres.stop({ patienceMs: 1_000, awaitStandby: null }, bounds);
      world.cluster.close();
    }
  } finally {
    for (const [, disk] of disks) await disk?.unmount();
  }
}

await main();
