import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { untilInstant } from './fixtures/child.ts';
import { spawnPostgresChild } from './fixtures/postgres-child.ts';
import {
  openTestCluster,
  soon,
  startPrimary,
  startStandby,
  type TestCluster,
  until,
} from './fixtures/postgres-cluster.ts';
import { mountSmallDisk } from './fixtures/postgres-small-disk.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

let disk: Awaited<ReturnType<typeof mountSmallDisk>> = null;
beforeAll(async () => {
  disk = await mountSmallDisk(90);
  leaveRoot();
});
afterAll(async () => disk?.unmount());

let cluster: TestCluster;
let systemIdentifier: string;
beforeEach(async () => {
  cluster = await openTestCluster({ nodes: ['db1', 'db2'] });
  systemIdentifier = await startPrimary(cluster, 'db1', ['db2']);
}, 60_000);
afterEach(() => cluster.close());

const beside = (name: string) =>
  readdirSync(dirname(cluster.node(name).layout.data)).filter((entry) => entry.startsWith('data'));

/** The instants at which the cloning process is killed, each a thing that can be seen from outside. */
const instants: Readonly<Record<string, (data: string) => boolean>> = {
  'the directory was made': (data) => existsSync(`${data}.incoming`),
  'the first files are there': (data) => existsSync(`${data}.incoming/PG_VERSION`),
  'the tables are there': (data) => existsSync(`${data}.incoming/base/1/pg_filenode.map`),
  'the control file is there': (data) => existsSync(`${data}.incoming/global/pg_control`),
  'the configuration is there': (data) => existsSync(`${data}.incoming/understudy-upstream.conf`),
  'the old directory is set aside': (data) => existsSync(`${data}.kept-1`),
};

/** Every second one, from the directory to the configuration; `TEST_LONG=1` plays them all. */
const isLong = process.env.TEST_LONG === '1';
const played = Object.keys(instants).filter((_, index) => isLong || index % 2 === 0);

describe('a clone that is killed', () => {
  it.each(played)(
    'when %s leaves the old or the new directory, and the next one succeeds',
    async (instant) => {
      const db2 = cluster.node('db2');
      await startStandby(cluster, 'db2', 'db1', systemIdentifier);
      await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
      await db2.postgres.close();
      const reached = instants[instant];
      if (reached === undefined) throw new Error(instant);
      const child = spawnClone();
      try {
        await untilInstant(child, () => reached(db2.layout.data));
      } finally {
        child.kill('SIGKILL');
      }
      await until('it is dead', async () => child.exitCode !== null || child.signalCode !== null);
      const reborn = db2.reborn();
      const seen = await reborn.observe('stopped');
      expect(seen).toMatchObject({ systemIdentifier, lastRole: 'standby' });
      expect(beside('db2')).toContain('data');
      await startStandby(cluster, 'db2', 'db1', systemIdentifier);
      await reborn.postgres.discardKept(soon);
      expect(beside('db2')).toEqual(['data']);
      await reborn.postgres.close();
    },
    90_000,
  );

  it('at first leaves an unfinished node, and the next one succeeds', async () => {
    const db2 = cluster.node('db2');
    const child = spawnClone();
    await untilInstant(child, () => existsSync(`${db2.layout.incoming}/PG_VERSION`));
    child.kill('SIGKILL');
    await until('it is dead', async () => child.signalCode !== null);
    const reborn = db2.reborn();
    await reborn.observe('unfinished');
    await startStandby(cluster, 'db2', 'db1', systemIdentifier);
    expect(beside('db2')).toEqual(['data']);
    await reborn.postgres.close();
  }, 60_000);
});

const spawnClone = () => spawnPostgresChild(cluster, { act: 'clone', node: 'db2', from: 'db1', systemIdentifier });

describe('a disk that is full', () => {
  it('fails the clone, leaves nothing of it, and does not touch the old directory', async ({ skip }) => {
    const small = disk;
    if (small === null) return skip('only root can mount a small file system');
    const db2 = cluster.node('db2');
    await db2.configure();
    // The node's directories lie on the small disk, which holds one copy but not two.
    const home = join(small.directory, 'db2');
    mkdirSync(home, { mode: 0o700 });
    symlinkHome(home);
    await startStandby(cluster, 'db2', 'db1', systemIdentifier);
    await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    const before = await db2.observe('stopped');
    const { bavail, bsize } = statfsSync(home);
    writeFileSync(join(home, 'ballast'), Buffer.alloc(bavail * bsize - 12 * 1024 * 1024));
    try {
      await db2.postgres.clone(
        cluster.node('db1').upstream,
        { systemIdentifier, slot: db2.slot, diverged: false },
        () => undefined,
        soon,
      );
      throw new Error('there was room enough');
    } catch (error) {
      if (!isUnderstudyError(error, 'DISK_FULL')) throw error;
    }
    expect(await db2.observe('stopped')).toEqual(before);
    expect(beside('db2')).toEqual(['data']);
  }, 60_000);
});

describe('a source with tablespaces of its own', () => {
  it('is not copied, and names them; without them it is', async () => {
    const db2 = cluster.node('db2');
    const { sql } = cluster.node('db1');
    const location = join(cluster.directory, 'fast');
    mkdirSync(location);
    await sql.execute(`create tablespace fast location '${location}'`, 10_000);
    await db2.configure();
    const clone = () =>
      db2.postgres.clone(
        cluster.node('db1').upstream,
        { systemIdentifier, slot: db2.slot, diverged: false },
        () => undefined,
        soon,
      );
    await expect(clone()).rejects.toMatchObject({ code: 'CLONE_FAILED', message: expect.stringContaining('fast') });
    expect(beside('db2')).toEqual([]);
    await sql.execute('drop tablespace fast', 10_000);
    await clone();
    await db2.observe('stopped');
  }, 60_000);
});

/** The node's home is a link to the other file system from now on; nothing has been written into it yet. */
function symlinkHome(target: string): void {
  const home = dirname(cluster.node('db2').layout.data);
  rmSync(home, { recursive: true });
  symlinkSync(target, home);
}
