/** `recover` on a node that is set up: a real server's repository, pgBackRest, and a store that a test takes away again. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderNodeFile } from '../src/config/load-node-file.ts';
import { renderClusterFile } from '../src/config/render.ts';
import { defaultBackups } from '../src/core/backups-spec.ts';
import { plainSpec } from '../src/core/plain-spec.ts';
import { clusterPrefix } from '../src/etcd/store-access.ts';
import { readControl } from '../src/postgres/control-file.ts';
import { readMark, writeMark } from '../src/restoring/mark.ts';
import { type ArchivingServer, openArchivingServer } from './fixtures/archiving-server.ts';
import { type CliEnd, runToEnd } from './fixtures/cli-run.ts';
import { type EtcdFixture, etcdUser, startEtcd } from './fixtures/etcd.ts';
import { soon } from './fixtures/postgres-cluster.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

leaveRoot();

let server: ArchivingServer;
let etcd: EtcdFixture;
const call = { withinMs: 5_000 };

/** A machine that was set up for the first node, and has nothing yet. */
function setUp(): void {
  const { cluster, place } = server;
  const own = (name: string, text: string): string => {
    writeFileSync(place(name), text, { mode: 0o600 });
    return place(name);
  };
  for (const name of ['s', 'r', 'l']) mkdirSync(place(name), { mode: 0o700 });
  const tls = {
    ca: own('ca.pem', etcd.tls.ca),
    certificate: own('c.pem', etcd.tls.certificate ?? ''),
    key: own('k.pem', etcd.tls.key ?? ''),
  };
  const node = {
    ...{ cluster: 'test', domain: 'test', node: 'db1', role: 'database' as const },
    api: { address: '127.0.0.1', port: 7000 },
    directories: { data: place('d'), run: place('r'), log: place('l'), state: place('s') },
    ...{ tls, databaseAgents: [], binaries: { postgres: null, pgbouncer: null } },
    store: { ...tls, endpoints: etcd.endpoints, user: etcdUser.name, passwordFile: own('w', etcdUser.password) },
    pooler: { listenAddress: '127.0.0.1' },
  };
  own('node.yaml', renderNodeFile(node));
  const backups = { ...defaultBackups, to: { kind: 'directory' as const, path: place('repository') } };
  const { nodes, postgres } = cluster.spec;
  const plain = { cluster: 'test', domain: 'test', nodes, postgresMajor: postgres.major };
  const spec = plainSpec({ ...plain, storeEndpoints: etcd.endpoints });
  own('cluster.yaml', renderClusterFile({ ...spec, backups }));
  own('passphrase', 'a passphrase\n');
}

const recover = async (...more: readonly string[]): Promise<CliEnd> => {
  const { place } = server;
  const files = ['--node-file', place('node.yaml'), '--passphrase-file', place('passphrase'), '--cluster-is-gone'];
  return await runToEnd(['recover', place('cluster.yaml'), ...files, '--yes', ...more], {
    directory: server.cluster.directory,
  });
};

const inState = (): readonly string[] => readdirSync(server.place('s'));

async function forget(): Promise<void> {
  const store = etcd.open(clusterPrefix('test'));
  const { entries } = await store.readAll(call);
  await store.transact(
    [],
    [...entries.keys()].map((key) => ({ key, remove: true as const })),
    call,
  );
  await store.close();
}

async function holder(): Promise<unknown> {
  const store = etcd.open(clusterPrefix('test'));
  const { entries } = await store.readAll(call);
  await store.close();
  return JSON.parse(entries.get('lease')?.value ?? 'null');
}

beforeAll(async () => {
  [server, etcd] = await Promise.all([openArchivingServer(), startEtcd(1)]);
  await server.repository.backup('full', () => undefined, soon);
  await server.archived();
  setUp();
});

afterAll(async () => {
  await server?.close();
  await etcd?.stop();
});

it('leaves the node as it is where it only shows the plan', async () => {
  const shown = await recover('--dry-run');
  expect(shown).toMatchObject({ exit: 0, out: expect.stringContaining('backup ') });
  expect([inState(), existsSync(server.place('d'))]).toEqual([[], false]);
});

it('asks the store first, and touches nothing where that knows a cluster', async () => {
  const store = etcd.open(clusterPrefix('test'));
  await store.transact([], [{ key: 'cluster', value: 'of somebody' }], call);
  await store.close();
  const refused = await recover();
  expect(refused).toMatchObject({ exit: 3, err: expect.stringContaining('the store knows a cluster of this name') });
  expect([inState(), existsSync(server.place('d')), readMark(server.place('d'))]).toEqual([[], false, null]);
  await forget();
});

it('tells the store alone when it is called again, and restores nothing twice', async () => {
  const data = server.place('d');
  const done = await recover();
  expect(done, done.err).toMatchObject({ exit: 0 });
  expect(await holder()).toMatchObject({ state: 'held', holder: 'db1' });
  expect(inState()).toEqual(expect.arrayContaining(['pgbackrest']));
  expect(inState()).not.toEqual(expect.arrayContaining(['recovering']));
  expect(readFileSync(server.place('s/pgbackrest/pgbackrest.conf'), 'utf8')).toContain('a passphrase');
  const before = readControl(join(data, 'global/pg_control'));
  const mark = readMark(data);
  if (mark === null) throw new Error('it has no mark');
  expect(mark.state).toBe('restored');

  // Its answer was lost; then nothing of it was carried out.
  for (const isTold of [true, false]) {
    if (!isTold) await forget();
    writeMark(data, { ...mark, state: 'recovered' });
    const again = await recover();
    expect(again, again.err).toMatchObject({ exit: 0, out: expect.stringContaining('only the store is told') });
    expect(await holder()).toMatchObject({ state: 'held', holder: 'db1' });
    expect(readMark(data)?.state).toBe('restored');
  }
  writeMark(data, { ...mark, state: 'recovered' });
  const other = await recover('--to', 'name:before');
  expect(other).toMatchObject({ exit: 3, err: expect.stringContaining('was recovered already, to latest') });
  await forget();
  const store = etcd.open(clusterPrefix('test'));
  await store.transact([], [{ key: 'cluster', value: 'of somebody' }], call);
  await store.close();
  expect(await recover()).toMatchObject({ exit: 3, err: expect.stringContaining('the store knows a cluster') });
  await forget();
  // Cut off after it was promoted: it may have served since.
  writeMark(data, { ...mark, state: 'recovering' });
  expect(await recover()).toMatchObject({ exit: 3, err: expect.stringContaining('is not written over') });
  expect(readControl(join(data, 'global/pg_control'))).toEqual(before);
});
