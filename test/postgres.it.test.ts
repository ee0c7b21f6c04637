/** The life of a small cluster of every installed version: each test goes on from where the one before ended. */
import { existsSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { findBinaries } from '../src/postgres/binaries.ts';
import { readControl } from '../src/postgres/control-file.ts';
import { parseControlProgram } from '../src/postgres/control-program.ts';
import { run } from '../src/process/run.ts';
import {
  installedMajors,
  soon,
  startPrimary,
  startStandby,
  type TestCluster,
  until,
} from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

describe.each(installedMajors())('PostgreSQL %i', (major) => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  let systemIdentifier: string;

  beforeAll(async () => {
    ({ cluster } = await servers.open({ nodes: ['db1', 'db2', 'db3'], major }));
  }, 60_000);

  it('is absent, is initialised and starts as a primary', async () => {
    const db1 = cluster.node('db1');
    await db1.observe('absent');
    systemIdentifier = await startPrimary(cluster, 'db1', ['db2', 'db3']);
    const seen = await db1.observe('primary');
    expect(seen).toMatchObject({ systemIdentifier, timeline: 1, major, pendingRestart: [], peers: [] });
    expect(seen.slots.map(({ name, active, walStatus }) => ({ name, active, walStatus }))).toEqual([
      { name: 'understudy_db2', active: false, walStatus: 'reserved' },
      { name: 'understudy_db3', active: false, walStatus: 'reserved' },
    ]);
    expect(seen.standbyMinimums.max_connections).toBe(30);
    expect(await db1.configure()).toBe(false);
  }, 120_000);

  it('is cloned over verified TLS and streams', async () => {
    await startStandby(cluster, 'db2', 'db1', systemIdentifier);
    await startStandby(cluster, 'db3', 'db1', systemIdentifier);
    const seen = await cluster.node('db2').observe('standby');
    expect(seen).toMatchObject({
      systemIdentifier,
      timeline: 1,
      upstream: 'db1',
      receiver: 'streaming',
      cannotStream: null,
    });
    const primary = await cluster.node('db1').observe('primary');
    expect(primary.peers.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'db2 streaming',
      'db3 streaming',
    ]);
  }, 120_000);

  it('reads the control file as pg_controldata does', async () => {
    const { directory } = await findBinaries(major, null);
    for (const name of ['db1', 'db2']) {
      const { layout } = cluster.node(name);
      const { stdout } = await run(`${directory}/pg_controldata`, ['-D', layout.data], {
        withinMs: 10_000,
        env: { LC_ALL: 'C' },
      });
      expect(readControl(layout.controlFile)).toEqual({ found: 'control', control: parseControlProgram(stdout) });
    }
  });

  it('hands over: stops cleanly, the target has replayed everything, is promoted, and the others follow', async () => {
    const [db1, db2, db3] = ['db1', 'db2', 'db3'].map((name) => cluster.node(name));
    if (!db1 || !db2 || !db3) throw new Error('three nodes');
    await db1.sql.execute('create table public.t as select generate_series(1, 1000) i', 10_000);
    const { clean } = await db1.postgres.stop({ patienceMs: 10_000, awaitStandby: 'db2' }, soon);
    if (clean === null) throw new Error('the stop was not clean');
    expect(await db1.observe('stopped')).toMatchObject({
      shutdown: 'clean',
      lastRole: 'primary',
      checkpointLsn: clean.checkpointLsn,
    });
    await until('db2 has replayed', async () => (await db2.observe('standby')).replayedLsn > clean.checkpointLsn);
    await db2.postgres.applySlots(
      [
        { name: db1.slot, advanceTo: null },
        { name: db3.slot, advanceTo: null },
      ],
      soon,
    );
    await db2.postgres.promote(null, soon);
    expect(await db2.observe('primary')).toMatchObject({ timeline: 2 });
    await db2.sql.execute('insert into public.t values (0)', 10_000);
    await db3.postgres.follow(db2.upstream, db3.slot, soon);
    await db1.postgres.start({ role: 'standby', upstream: db2.upstream, slot: db1.slot }, soon);
    for (const node of [db1, db3]) {
      await until(`${node.name} follows`, async () => {
        const seen = await node.observe('standby');
        return seen.receiver === 'streaming' && seen.timeline === 2 && seen.upstream === 'db2';
      });
    }
  }, 120_000);

  it('adopts a running server after the agent came back', async () => {
    const reborn = cluster.node('db2').reborn();
    const before = await reborn.observe('primary');
    await reborn.configure();
    await reborn.postgres.start({ role: 'primary' }, soon);
    expect((await reborn.observe('primary')).pid).toBe(before.pid);
    await reborn.postgres.close();
  });

  it('keeps the old directory of a second clone until it is discarded', async () => {
    const db3 = cluster.node('db3');
    await db3.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    await startStandby(cluster, 'db3', 'db2', systemIdentifier);
    expect(existsSync(db3.layout.kept(1))).toBe(true);
    await db3.postgres.discardKept(soon);
    expect(readdirSync(`${db3.layout.data}/..`).sort()).toEqual(['data', 'log', 'run', 'state']);
  }, 60_000);
});
