/** Write probes against real servers in trouble. What follows from their answers is held in core/write-probe.test.ts. */
import { renameSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findServer } from '../src/postgres/postmaster-file.ts';
import { createSession, type Session } from '../src/postgres/session.ts';
import { processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import {
  openTestCluster,
  soon,
  startPrimary,
  type TestCluster,
  type TestNode,
  until,
} from './fixtures/postgres-cluster.ts';
import { type LoopDisk, mountLoopDisk } from './fixtures/postgres-loop-disk.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

let disk: LoopDisk | null = null;
let cluster: TestCluster;
const sessions: Session[] = [];

beforeAll(async () => {
  disk = await mountLoopDisk(400);
  leaveRoot();
}, 60_000);

afterEach(() => {
  for (const session of sessions.splice(0)) session.drop();
  cluster.close();
});

afterAll(async () => {
  await disk?.unmount();
});

async function openPrimary(parameters: Readonly<Record<string, string>> = {}): Promise<TestNode> {
  cluster = await openTestCluster({ nodes: ['db1'], parameters });
  await startPrimary(cluster, 'db1', []);
  const db1 = cluster.node('db1');
  await db1.observe('primary');
  return db1;
}

function client(node: TestNode): Session {
  const session = createSession({ socketDirectory: node.layout.run, port: cluster.spec.postgres.port });
  sessions.push(session);
  return session;
}

const probe = (node: TestNode, withinMs = 1_000) => node.postgres.probeWrite({ withinMs });

describe('a write probe', () => {
  it('writes, also where clients may only read by default, and leaves no session behind', async () => {
    const db1 = await openPrimary({ default_transaction_read_only: 'on', synchronous_commit: 'on' });
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
    const left = () =>
      processesIn(db1.layout.data).filter(({ pid }) =>
        /\[local\] (idle|SELECT|COMMIT)/.test(readCommandLine(pid)[0] ?? ''),
      );
    const before = left().length;
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
    await until('its session has ended', async () => left().length <= before);
  }, 60_000);

  it('is barred, not failed, where every connection is taken', async () => {
    const db1 = await openPrimary({ max_connections: '12', superuser_reserved_connections: '0', max_wal_senders: '5' });
    await probe(db1, 20_000);
    const full = async (): Promise<boolean> => {
      try {
        await client(db1).execute('select', 5_000);
        return false;
      } catch {
        return true;
      }
    };
    await until('no connection is left', full);
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'barred', text: expect.stringContaining('connections') });
  }, 60_000);

  it('is barred, not failed, where somebody removed the socket', async () => {
    const db1 = await openPrimary();
    const socket = join(db1.layout.run, `.s.PGSQL.${cluster.spec.postgres.port}`);
    renameSync(socket, `${socket}.away`);
    expect(await probe(db1)).toMatchObject({ came: 'barred', text: expect.stringContaining('socket') });
    renameSync(`${socket}.away`, socket);
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
  }, 60_000);

  it('meets silence where the postmaster was stopped by a signal, and progress where others still commit', async () => {
    const db1 = await openPrimary();
    const other = client(db1);
    await other.execute('create table public.t (i int)', 20_000);
    const server = findServer(db1.layout.data, db1.layout.postmasterFile);
    if (server.alive !== 'postmaster') throw new Error('no server');
    sendSignal(server.postmaster, 'SIGSTOP');
    expect(await probe(db1)).toMatchObject({ came: 'silent' });
    // It looks before and after: one commit may come too early for it, so they go on.
    let isOver = false;
    const commits = (async () => {
      while (!isOver) await other.execute('insert into public.t values (1)', 20_000);
    })();
    try {
      await until('it sees that others commit', async () => (await probe(db1, 2_000)).came === 'advancing');
    } finally {
      isOver = true;
      await commits;
    }
    sendSignal(server.postmaster, 'SIGCONT');
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
  }, 60_000);

  it('says nothing of a standby', async () => {
    const db1 = await openPrimary();
    await db1.postgres.stop({ patienceMs: 20_000, awaitStandby: null }, soon);
    await db1.postgres.start({ role: 'standby', upstream: null, slot: '' }, soon);
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'moot' });
  }, 60_000);

  it('meets silence while the disk does not answer, leaves two backends hanging at most, and writes again then', async (context) => {
    if (disk === null) return context.skip();
    process.env.TMPDIR = disk.directory;
    const db1 = await openPrimary().finally(() => {
      delete process.env.TMPDIR;
    });
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
    await disk.freeze();
    try {
      for (let times = 0; times < 4; times += 1) expect(await probe(db1, 500)).toMatchObject({ came: 'silent' });
      expect(await probe(db1, 500)).toEqual({ came: 'silent', text: expect.stringContaining('2 earlier probes') });
      // What it shows of itself is as healthy as ever.
      await db1.observe('primary');
    } finally {
      await disk.thaw();
    }
    await until('it writes again', async () => (await probe(db1, 5_000)).came === 'written');
  }, 90_000);

  it('finds a server again that stopped when its disk was full of WAL, until the next large write', async (context) => {
    if (disk === null) return context.skip();
    process.env.TMPDIR = disk.directory;
    const db1 = await openPrimary({ max_wal_size: '8MB', min_wal_size: '8MB' }).finally(() => {
      delete process.env.TMPDIR;
    });
    // Tables that can't grow are errors only; it is WAL without space that ends the server.
    const { bavail, bsize } = statfsSync(db1.layout.data);
    writeFileSync(join(disk.directory, 'ballast'), Buffer.alloc(bavail * bsize - 24 * 2 ** 20));
    const onlyWal = "select pg_logical_emit_message(false, '', repeat('x', 1000000)) from generate_series(1, 300)";
    await until('the server has stopped for want of space', async () => {
      await client(db1)
        .execute(onlyWal, 20_000)
        .catch(() => undefined);
      return findServer(db1.layout.data, db1.layout.postmasterFile).alive !== 'postmaster';
    });
    expect(await db1.observe('stopped')).toMatchObject({ shutdown: 'crashed', lastRole: 'primary' });
    // Crash recovery recycles WAL: it starts, and would stop again for want of the same space (core/rules/crashes.ts).
    await db1.postgres.start({ role: 'primary' }, soon);
    expect(await probe(db1, 20_000)).toMatchObject({ came: 'written' });
  }, 120_000);
});
