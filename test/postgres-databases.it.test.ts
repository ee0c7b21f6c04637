import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TlsFiles } from '../src/postgres/layout.ts';
import { domain, installedMajors, soon, type TestCluster, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const databases = [
  { name: 'shop', owner: 'shop' },
  { name: 'Odd "name"', owner: 'odd-owner' },
];
const roles = [
  { role: 'shop', database: 'shop', rights: 'rw' },
  { role: 'shop-worker', database: 'shop', rights: 'rw' },
  { role: 'shop-report', database: 'shop', rights: 'ro' },
] as const;

describe.each(installedMajors())('databases and applications on PostgreSQL %i', (major) => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    ({ cluster } = await servers.replicate({
      nodes: ['db1'],
      major,
      databases,
      applications: roles.map(({ role, database, rights }) => ({
        name: role,
        database,
        rights,
        nodes: ['web0'],
        poolSize: null,
        outage: 'hold',
      })),
    }));
    await cluster.node('db1').postgres.applyDatabases(databases, roles, soon);
  }, 60_000);
  afterAll(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
  });

  const login = async (user: string, tls: TlsFiles, database = 'shop'): Promise<pg.Client> => {
    const client = new pg.Client({
      host: cluster.node('db1').address,
      port: cluster.spec.postgres.port,
      user,
      database,
      ssl: {
        ca: readFileSync(tls.ca),
        cert: readFileSync(tls.certificate),
        key: readFileSync(tls.key),
        servername: `db1.${domain}`,
        checkServerIdentity: (_, certificate) =>
          certificate.subject.CN === 'db1' ? undefined : new Error('another server'),
      },
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };

  it('let an application in by the certificate of its node, and share what it makes with the others', async () => {
    const shop = await login('shop', cluster.web0);
    const worker = await login('shop-worker', cluster.web0);
    const report = await login('shop-report', cluster.web0);
    await worker.query('create table orders (id serial primary key, what text)');
    await shop.query("insert into orders (what) values ('tea')");
    await worker.query('alter table orders add column n int');
    expect((await report.query('select what from orders')).rows).toEqual([{ what: 'tea' }]);
    await expect(report.query("insert into orders (what) values ('x')")).rejects.toMatchObject({ code: '42501' });
    await expect(report.query('create table mine (i int)')).rejects.toMatchObject({ code: '42501' });
  });

  it('let nobody else in', async () => {
    const db1: TlsFiles = {
      ...cluster.web0,
      certificate: `${cluster.directory}/db1.crt`,
      key: `${cluster.directory}/db1.key`,
    };
    for (const attempt of [
      () => login('shop', db1),
      () => login('postgres', cluster.web0),
      () => login('understudy_replication', cluster.web0),
      () => login('shop', cluster.web0, 'Odd "name"'),
      () => login('odd-owner', cluster.web0, 'Odd "name"'),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: '28000' });
    }
  });

  it('change nothing when nothing changed, and take the login from an application that is gone', async () => {
    const { postgres, sql } = cluster.node('db1');
    await postgres.applyDatabases(databases, roles, soon);
    const report = await login('shop-report', cluster.web0);
    let ended = false;
    report.on('end', () => {
      ended = true;
    });
    await postgres.applyDatabases(databases, roles.slice(0, 2), soon);
    await until('the session is ended', async () => ended);
    await expect(login('shop-report', cluster.web0)).rejects.toMatchObject({ code: '28000' });
    await postgres.applyDatabases(databases, roles, soon);
    expect((await (await login('shop-report', cluster.web0)).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    // From writing to reading: membership goes, and with it every right.
    const demoted = roles.map((role) => (role.role === 'shop-worker' ? { ...role, rights: 'ro' as const } : role));
    await postgres.applyDatabases(databases, demoted, soon);
    const worker = await login('shop-worker', cluster.web0);
    await expect(worker.query("insert into orders (what) values ('x')")).rejects.toMatchObject({ code: '42501' });
    expect((await worker.query('select count(*)::int as n from orders')).rows).toEqual([{ n: 1 }]);
    await sql.execute('select 1', 1_000);
  });

  it('refuse an application with the name of a superuser', async () => {
    const { postgres } = cluster.node('db1');
    await expect(
      postgres.applyDatabases(databases, [{ role: 'postgres', database: 'shop', rights: 'rw' }], soon),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('show open transactions of clients, and end them', async () => {
    const { postgres } = cluster.node('db1');
    const shop = await login('shop', cluster.web0);
    await shop.query('begin');
    await shop.query('select 1');
    const open = await postgres.openTransactions(soon);
    expect(open).toMatchObject([
      { user: 'shop', database: 'shop', state: 'idle in transaction', clientAddress: '127.0.0.1' },
    ]);
    await postgres.endSessions(
      open.map(({ pid }) => pid),
      soon,
    );
    await until('it is ended', async () => (await postgres.openTransactions(soon)).length === 0);
  });
});
