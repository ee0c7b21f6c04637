/** A server in trouble: clients that hang, no answer, what is not ours, and parameters that can not be used. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../src/errors/understudy-error.ts';
import { findServer, readPostmasterFile } from '../src/postgres/postmaster-file.ts';
import { createSession } from '../src/postgres/session.ts';
import { identify, processesIn, readCommandLine } from '../src/process/identity.ts';
import { sendSignal } from '../src/process/signal.ts';
import { soon, startPrimary, startStandby, type TestNode, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const servers = testServers();

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return isUnderstudyError(error) ? error.code : String(error);
  }
}

function postmasterOf(node: TestNode) {
  const server = findServer(node.layout.data, node.layout.postmasterFile);
  if (server.alive !== 'postmaster') throw new Error(`no server on ${node.name}`);
  return server.postmaster;
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  const target = identify(pid);
  if (target === null || sendSignal(target, signal) !== 'sent') throw new Error(`can't send ${signal} to ${pid}`);
}

/** A client session that works in the database, and the id of its backend. */
async function openBackend(node: TestNode) {
  const session = createSession({ socketDirectory: node.layout.run, port: node.upstream.port });
  await session.execute("set application_name = 'client'", 5_000);
  const backend = await until('the backend shows', async () => {
    return processesIn(node.layout.data).find(
      ({ pid }) => /\[local\]/.test(readCommandLine(pid)[0] ?? '') && !known.has(pid),
    )?.pid;
  });
  known.add(backend);
  return { session, pid: backend };
}
const known = new Set<number>();

describe('stop', () => {
  it('stays clean although a backend was stopped by a signal', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    await db1.observe('primary');
    for (const { pid } of processesIn(db1.layout.data))
      if (/\[local\]/.test(readCommandLine(pid)[0] ?? '')) known.add(pid);
    const client = await openBackend(db1);
    signalTo(client.pid, 'SIGSTOP');
    const { clean } = await db1.postgres.stop({ patienceMs: 20_000, awaitStandby: null }, soon);
    expect(clean).not.toBeNull();
    expect(processesIn(db1.layout.data)).toEqual([]);
    client.session.drop();
  }, 60_000);

  it('proves gone what survives the death of the postmaster, and says that the stop was not clean', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    for (const { pid } of processesIn(db1.layout.data))
      if (/\[local\]/.test(readCommandLine(pid)[0] ?? '')) known.add(pid);
    const client = await openBackend(db1);
    const postmaster = postmasterOf(db1);
    signalTo(client.pid, 'SIGSTOP');
    sendSignal(postmaster, 'SIGKILL');
    await until('the others have ended', async () => processesIn(db1.layout.data).length === 1);
    expect(await db1.observe('orphaned')).toMatchObject({ pid: client.pid });
    expect(await db1.postgres.stop({ patienceMs: 5_000, awaitStandby: null }, soon)).toEqual({ clean: null });
    expect(processesIn(db1.layout.data)).toEqual([]);
    expect(await db1.observe('stopped')).toMatchObject({ shutdown: 'crashed', lastRole: 'primary' });
    client.session.drop();
    await db1.postgres.start({ role: 'primary' }, soon);
    await db1.observe('primary');
  }, 60_000);

  it('is not held up by a frozen standby, and the one it waits for has everything', async () => {
    const { db1, db2, db3 } = await servers.replicate({ nodes: ['db1', 'db2', 'db3'] });
    for (const process of processesIn(db3.layout.data)) sendSignal(process, 'SIGSTOP');
    await db1.sql.execute('create table public.t as select generate_series(1, 200000) i', 20_000);
    // Longer than the patience would be a forced stop, which is never clean in time.
    const { clean } = await db1.postgres.stop({ patienceMs: 4_000, awaitStandby: 'db2' }, soon);
    if (clean === null) throw new Error('not clean');
    await until('db2 has all', async () => (await db2.observe('standby')).replayedLsn > clean.checkpointLsn);
    expect(readFileSync(db1.layout.serverLog, 'utf8')).not.toContain('immediate shutdown request');
  }, 60_000);

  it('lets go of the standby that it waits for when that one takes nothing any more', async () => {
    const { db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
    // Nothing else would end its walsender.
    await db1.sql.execute('alter system set wal_sender_timeout = 0', 5_000);
    await db1.sql.execute('select pg_reload_conf()', 5_000);
    for (const process of processesIn(db2.layout.data)) sendSignal(process, 'SIGSTOP');
    const { clean } = await db1.postgres.stop({ patienceMs: 50_000, awaitStandby: 'db2' }, soon);
    expect(clean).not.toBeNull();
    expect(readFileSync(db1.layout.serverLog, 'utf8')).not.toContain('immediate shutdown request');
  }, 60_000);

  it('kills when the patience is over', async () => {
    const { db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
    for (const process of processesIn(db2.layout.data)) sendSignal(process, 'SIGSTOP');
    await db1.sql.execute('create table public.t as select generate_series(1, 200000) i', 20_000);
    await db1.postgres.stop({ patienceMs: 300, awaitStandby: 'db2' }, soon);
    expect(processesIn(db1.layout.data)).toEqual([]);
  }, 60_000);
});

describe('start', () => {
  it('continues what somebody stopped by a signal meanwhile', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    await db1.postgres.stop({ patienceMs: 4_000, awaitStandby: null }, soon);
    const starting = db1.postgres.start({ role: 'primary' }, soon);
    await until('a process of it', async () => processesIn(db1.layout.data).length > 0);
    for (const process of processesIn(db1.layout.data)) sendSignal(process, 'SIGSTOP');
    expect(readPostmasterFile(db1.layout.postmasterFile)?.status).not.toBe('ready');
    await starting;
    await db1.observe('primary');
  }, 60_000);
});

describe('a promotion', () => {
  it('fails as soon as its postmaster is gone, though a session lives on', async () => {
    const { db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
    await db2.observe('standby');
    // It would end the recovery, or itself with the postmaster.
    const startup = processesIn(db2.layout.data).find(({ pid }) => /\bstartup\b/.test(readCommandLine(pid)[0] ?? ''));
    if (startup === undefined) throw new Error('no startup process');
    sendSignal(startup, 'SIGSTOP');
    const promoting = codeOf(db2.postgres.promote(null, { withinMs: 30_000 }));
    await until('it was told', async () => existsSync(join(db2.layout.data, 'promote')));
    sendSignal(postmasterOf(db2), 'SIGKILL');
    expect(await promoting).toBe('POSTGRES_FAILED');
  }, 60_000);
});

describe('observe', () => {
  it('calls a frozen postmaster unknown, in time, and finds it again afterwards', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    await db1.observe('primary');
    const postmaster = postmasterOf(db1);
    sendSignal(postmaster, 'SIGSTOP');
    // The kernel stops a process when it next runs, which may be after the signal's sender goes on.
    await until('it is stopped', async () =>
      /^State:\s+T/m.test(readFileSync(`/proc/${postmaster.pid}/status`, 'utf8')),
    );
    expect(await db1.observe('unknown')).toMatchObject({ pid: postmaster.pid });
    sendSignal(postmaster, 'SIGCONT');
    await until('it answers again', async () => (await db1.postgres.observe(1_000)).state === 'primary');
  }, 60_000);

  it('calls a server whose backends do not answer unknown', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    await db1.observe('primary');
    const postmaster = postmasterOf(db1);
    const backends = processesIn(db1.layout.data).filter(({ pid }) => pid !== postmaster.pid);
    for (const process of backends) sendSignal(process, 'SIGSTOP');
    expect(await db1.postgres.observe(200)).toMatchObject({ state: 'unknown', pid: postmaster.pid });
    for (const process of backends) sendSignal(process, 'SIGCONT');
    await db1.observe('primary');
  }, 60_000);

  it('says that a standby has lost its WAL when its slot ran out of budget', async () => {
    const lean = { walBudgetMb: 8, parameters: { max_wal_size: '32MB' } };
    const { cluster, db1, db2, systemIdentifier } = await servers.replicate({ nodes: ['db1', 'db2'], ...lean });
    await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    await until('the slot is lost', async () => {
      await db1.sql.execute(
        "create table public.t as select repeat('x', 1000) from generate_series(1, 20000); drop table public.t",
        20_000,
      );
      await db1.postgres.checkpoint(soon);
      return (await db1.observe('primary')).slots.some(({ walStatus }) => walStatus === 'lost');
    });
    await db2.postgres.start({ role: 'standby', upstream: db1.upstream, slot: db2.slot }, soon);
    await until('db2 says so', async () => (await db2.observe('standby')).cannotStream === 'wal-removed');
    // The slot is made anew, but the WAL stays gone; a new clone heals it.
    // Not while db2 tries it, five times a second.
    await until('the slot is made anew', async () => {
      await db1.postgres.applySlots([{ name: db2.slot, advanceTo: null }], soon);
      return (await db1.observe('primary')).slots.some(({ walStatus }) => walStatus === 'reserved');
    });
    await until('db2 still says so', async () => (await db2.observe('standby')).cannotStream === 'wal-removed');
    await db2.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    await startStandby(cluster, 'db2', 'db1', systemIdentifier);
    expect((await db2.observe('standby')).cannotStream).toBeNull();
  }, 120_000);

  it('says that a standby has diverged', async () => {
    const { db1, db2 } = await servers.replicate({ nodes: ['db1', 'db2'] });
    await db2.postgres.promote(null, soon);
    await db1.sql.execute('create table public.only_here (i int)', 10_000);
    await db2.sql.execute('create table public.only_there (i int)', 10_000);
    await db1.postgres.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    await db2.postgres.applySlots([{ name: db1.slot, advanceTo: null }], soon);
    await db1.postgres.start({ role: 'standby', upstream: db2.upstream, slot: db1.slot }, soon);
    await until('db1 says so', async () => (await db1.observe('standby')).cannotStream === 'diverged');
  }, 60_000);
});

describe('what is not ours', () => {
  it('is left as it is', async () => {
    const { cluster, db1, db2 } = await servers.open({ nodes: ['db1', 'db2'] });
    mkdirSync(db2.layout.data, { recursive: true });
    writeFileSync(`${db2.layout.data}/notes.txt`, 'mine');
    const systemIdentifier = await startPrimary(cluster, 'db1', ['db2']);
    await db2.configure();
    expect(await db2.observe('foreign')).toMatchObject({ because: expect.stringContaining('no PostgreSQL cluster') });
    expect(await codeOf(db2.postgres.initialise(soon))).toBe('DATA_DIRECTORY_FOREIGN');
    const clone = () =>
      db2.postgres.clone(db1.upstream, { systemIdentifier, slot: db2.slot, diverged: false }, () => undefined, soon);
    expect(await codeOf(clone())).toBe('DATA_DIRECTORY_FOREIGN');
    expect(readdirSync(db2.layout.data)).toEqual(['notes.txt']);
  }, 60_000);

  it('also a cluster of another system, and a directory beside ours', async () => {
    const { cluster, db1, db2 } = await servers.open({ nodes: ['db1', 'db2'] });
    const systemIdentifier = await startPrimary(cluster, 'db1', ['db2']);
    await db2.configure();
    const clone = () =>
      db2.postgres.clone(db1.upstream, { systemIdentifier, slot: db2.slot, diverged: false }, () => undefined, soon);
    mkdirSync(db2.layout.incoming, { recursive: true });
    expect(await codeOf(clone())).toBe('DATA_DIRECTORY_FOREIGN');
    expect(existsSync(db2.layout.incoming)).toBe(true);
    const { cluster: other } = await servers.open({ nodes: ['db9'] });
    const db9 = other.node('db9');
    await startPrimary(other, 'db9', []);
    const wrong = db9.postgres;
    await wrong.stop({ patienceMs: 10_000, awaitStandby: null }, soon);
    expect(
      await codeOf(
        wrong.clone(db1.upstream, { systemIdentifier, slot: db2.slot, diverged: false }, () => undefined, soon),
      ),
    ).toBe('DATA_DIRECTORY_FOREIGN');
    await db9.observe('stopped');
  }, 60_000);

  it('refuses a port that somebody else has', async () => {
    const { db1 } = await servers.open({ nodes: ['db1'] });
    await db1.configure();
    await db1.postgres.initialise(soon);
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen({ host: db1.address, port: db1.upstream.port }, resolve));
    try {
      expect(await codeOf(db1.postgres.start({ role: 'primary' }, soon))).toBe('PORT_IN_USE');
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
    await db1.postgres.start({ role: 'primary' }, soon);
  }, 60_000);

  it('is not let in: no certificate, or that of another node', async () => {
    const { cluster, db1 } = await servers.open({ nodes: ['db1', 'db2'] });
    await startPrimary(cluster, 'db1', ['db2']);
    const { db2: stranger } = await servers.open({ nodes: ['db2'] });
    await stranger.configure();
    const clone = stranger.postgres.clone(
      db1.upstream,
      { systemIdentifier: '1', slot: stranger.slot, diverged: false },
      () => undefined,
      soon,
    );
    expect(await codeOf(clone)).toBe('CLONE_FAILED');
    expect(existsSync(stranger.layout.incoming)).toBe(false);
  }, 60_000);
});

describe('a parameter that can not be used', () => {
  it('is reported with its line, and one that needs a restart is pending', async () => {
    const { db1 } = await servers.replicate({ nodes: ['db1'] });
    const base = readFileSync(`${db1.layout.data}/understudy.conf`, 'utf8');
    const parameters = Object.fromEntries(
      [...base.matchAll(/^(\w+) = '(.*)'$/gm)].map(([, name, value]) => [name, (value ?? '').replace(/''/g, "'")]),
    );
    const lines = (file: string) => readFileSync(`${db1.layout.data}/${file}`, 'utf8').trim().split('\n').slice(1);
    const configuration = (more: Record<string, string>) => ({
      parameters: { ...parameters, ...more },
      hba: lines('pg_hba.conf'),
      ident: lines('pg_ident.conf'),
    });
    expect(await codeOf(db1.postgres.configure(configuration({ work_mem: 'plenty' }), soon))).toBe('CONFIG_INVALID');
    expect(await db1.postgres.configure(configuration({ max_connections: '40', work_mem: '8MB' }), soon)).toBe(true);
    await until('it is pending', async () => {
      const { pendingRestart } = await db1.observe('primary');
      return pendingRestart.some(
        ({ name, current, wanted }) => name === 'max_connections' && current === '30' && wanted === '40',
      );
    });
  }, 60_000);

  it('is no mistake when it is not there any more and keeps its value until a restart', async () => {
    const { db1 } = await servers.open({ nodes: ['db1'] });
    const { configuration, postgres } = db1;
    const parameters = { ...configuration.parameters, max_locks_per_transaction: '128' };
    await postgres.configure({ ...configuration, parameters }, soon);
    await postgres.initialise(soon);
    await postgres.start({ role: 'primary' }, soon);
    expect(await db1.configure()).toBe(true);
    await until('it is pending', async () =>
      (await db1.observe('primary')).pendingRestart.some(({ name }) => name === 'max_locks_per_transaction'),
    );
  }, 60_000);

  it('keeps the server from starting, and the error has its last words', async () => {
    const { db1 } = await servers.open({ nodes: ['db1'], parameters: { max_connections: 'plenty' } });
    await db1.configure();
    await db1.postgres.initialise(soon);
    await expect(db1.postgres.start({ role: 'primary' }, soon)).rejects.toMatchObject({
      code: 'POSTGRES_FAILED',
      message: expect.stringContaining('max_connections'),
    });
    await db1.observe('stopped');
  }, 60_000);
});
