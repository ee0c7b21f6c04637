import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { scramVerifier } from '../src/secrets/scram-verifier.ts';
import { domain, installedMajors, soon, type TestCluster, until } from './fixtures/postgres-cluster.ts';
import { testServers } from './fixtures/postgres-servers.ts';

const noReplay = { ...soon, replayWithinMs: 0 };
const withinMs = 10_000;
const role = 'web@web0:1';

/** Each has the server log what it is told. */
const talkative: readonly Readonly<Record<string, string>>[] = [
  { log_statement: 'ddl' },
  { log_statement: 'all', log_duration: 'on' },
  { log_min_duration_statement: '0' },
  { log_min_duration_sample: '0', log_statement_sample_rate: '1' },
  { log_transaction_sample_rate: '1' },
];

describe.each(installedMajors())('logins on PostgreSQL %i', (major) => {
  const servers = testServers('describe');
  let cluster: TestCluster;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    const parameters = { shared_preload_libraries: 'pg_stat_statements', log_min_error_statement: 'debug5' };
    ({ cluster } = await servers.replicate({ nodes: ['db1'], major, parameters }));
    const { postgres, sql } = cluster.node('db1');
    await postgres.applyDatabases([], [], soon);
    await sql.execute('create extension pg_stat_statements schema public', withinMs);
    await sql.execute(`create role "${role}"`, withinMs);
  }, 60_000);
  afterAll(() => {
    for (const client of clients) client.connection.stream.destroy();
  });

  const freshVerifier = (): string => scramVerifier(randomBytes(24).toString('base64url'), 4_096);
  const partsOf = (verifier: string): readonly string[] => verifier.split(/[$:]/).slice(2);
  const log = (): string => readFileSync(cluster.node('db1').layout.serverLog, 'utf8');
  /** What somebody else says at the same time: the server would have logged it. */
  const saySo = async (name: string): Promise<string> => {
    const { sql } = cluster.node('db1');
    const said = `said-${randomBytes(8).toString('hex')}`;
    sql.drop();
    await sql.execute(`alter role "${name}" password '${said}'`, withinMs).catch(() => undefined);
    return said;
  };
  const canLogIn = async (): Promise<unknown> => {
    const row = z.object({ has: z.string().nullable(), may: z.boolean() });
    const text = `select rolpassword as has, rolcanlogin as may from pg_authid where rolname = '${role}'`;
    return (await cluster.node('db1').sql.query({ row, text }, withinMs))[0];
  };

  it.each(talkative)('are opened without a word in the log, whatever it is told to have: %j', async (settings) => {
    const { postgres, sql } = cluster.node('db1');
    for (const [name, value] of Object.entries(settings))
      await sql.execute(`alter role all set ${name} = '${value}'`, withinMs);
    await postgres.close(); // settings of roles are those of sessions that begin now
    const verifier = freshVerifier();
    await postgres.openLogin(role, verifier, soon);
    expect(await canLogIn()).toEqual({ has: verifier, may: true });
    const said = await saySo(role);
    await until('the server logs what others say', async () => log().includes(said));
    for (const part of partsOf(verifier)) expect(log()).not.toContain(part);
    for (const name of Object.keys(settings)) await sql.execute(`alter role all reset ${name}`, withinMs);
  });

  it('are not told of when that fails, and everything goes on', async () => {
    const { postgres } = cluster.node('db1');
    const verifier = freshVerifier();
    await expect(postgres.openLogin('nobody', verifier, soon)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    const said = await saySo('nobody');
    await until('the server logs what failed for others', async () => log().includes(said));
    for (const part of partsOf(verifier)) expect(log()).not.toContain(part);
    expect(await postgres.logins(soon)).toEqual([]);
    expect(await postgres.openTransactions(soon)).toEqual([]);
  });

  it('are in no statistics of statements', async () => {
    const { postgres, sql } = cluster.node('db1');
    const verifier = freshVerifier();
    await postgres.openLogin(role, verifier, soon);
    const seen = async (): Promise<string> => {
      const text = "select coalesce(string_agg(query, ' '), '') as queries from public.pg_stat_statements";
      return (await sql.query({ row: z.object({ queries: z.string() }), text }, withinMs))[0]?.queries ?? '';
    };
    await sql.execute(`comment on role "${role}" is 'seen'`, withinMs);
    const queries = await seen();
    expect(queries).toContain(`comment on role "${role}"`);
    for (const part of partsOf(verifier)) expect(queries).not.toContain(part);
  });

  it('leave no session in a transaction that failed, or that nobody ended', async () => {
    const { sql } = cluster.node('db1');
    await expect(sql.execute('begin; select 1/0; commit', withinMs)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    expect(await canLogIn()).toMatchObject({ may: true });
    await expect(sql.execute(`begin; alter role "${role}" nologin`, withinMs)).rejects.toMatchObject({
      code: 'BROKEN_INVARIANT',
    });
    expect(await canLogIn()).toMatchObject({ may: true });
  });

  it('keep their session after a refusal that leaves nothing behind', async () => {
    const { sql } = cluster.node('db1');
    const pid = async () =>
      await sql.query({ row: z.object({ pid: z.number() }), text: 'select pg_backend_pid() as pid' }, withinMs);
    const before = await pid();
    await expect(sql.execute('select 1/0', withinMs)).rejects.toMatchObject({ code: 'POSTGRES_FAILED' });
    expect(await pid()).toEqual(before);
  });

  it('are not replayed by a standby that has not said so, and need not be by a copy under way', async () => {
    const node = cluster.node('db1');
    const { ssl_ca_file: ca = '', ssl_cert_file: cert = '', ssl_key_file: key = '' } = node.configuration.parameters;
    const config = {
      host: node.address,
      port: cluster.spec.postgres.port,
      user: 'understudy_replication',
      replication: 'true',
      application_name: 'quiet',
      ssl: {
        ca: readFileSync(ca),
        cert: readFileSync(cert),
        key: readFileSync(key),
        servername: `db1.${domain}`,
        checkServerIdentity: () => undefined,
      },
    };
    const standby = new pg.Client(config);
    clients.push(standby);
    standby.on('error', () => undefined);
    await standby.connect();
    const { rows } = await standby.query<{ xlogpos: string }>('IDENTIFY_SYSTEM');
    standby.query(`START_REPLICATION PHYSICAL ${rows[0]?.xlogpos}`).catch(() => undefined);
    const row = z.object({ name: z.string() });
    const text = "select application_name as name from pg_stat_replication where state = 'streaming'";
    await until('it streams', async () => (await node.sql.query({ row, text }, withinMs)).length === 1);
    const mark = await node.postgres.openLogin(role, freshVerifier(), soon);
    expect(await node.postgres.lacking(mark, noReplay)).toEqual(['quiet']);
    expect(await node.postgres.lacking(mark, { ...noReplay, except: ['quiet'] })).toEqual([]);
    // A status update (documentation 55.4): written and flushed something, and replays nothing.
    const reply = Buffer.alloc(34);
    reply.write('r');
    reply.writeBigUInt64BE(1n, 1);
    reply.writeBigUInt64BE(1n, 9);
    reply.writeBigUInt64BE(1n, 25); // when it was sent
    standby.connection.stream.write(Buffer.concat([Buffer.from('d'), Buffer.from([0, 0, 0, 38]), reply]));
    const replied = 'select application_name as name from pg_stat_replication where reply_time is not null';
    await until('it has replied', async () => (await node.sql.query({ row, text: replied }, withinMs)).length === 1);
    expect(await node.postgres.lacking(mark, noReplay)).toEqual([]);
  });

  it('have no password and no sessions once they are closed', async () => {
    const { postgres } = cluster.node('db1');
    await postgres.openLogin(role, freshVerifier(), soon);
    await postgres.closeLogin(role, soon);
    expect(await canLogIn()).toEqual({ has: null, may: false });
  });
});
