/**
 * What applications and other clients of a whole cluster have in hand: files that lead to the pooler, for whom they were declared,
 * gone with their node; and the way straight to a server, which libpq and `pg` verify fully.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLocalTopology } from '@understudy/client/topology';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { combinedFiles } from '../src/pki/credential-files.ts';
import { run } from '../src/process/run.ts';
import { applicationFiles, nodeDirectory } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const declaration = z.looseObject({
  nodes: z.looseObject({ app: z.record(z.string(), z.unknown()) }),
  applications: z.record(z.string(), z.looseObject({ nodes: z.array(z.string()) })),
});
type Declaration = z.infer<typeof declaration>;

/** Applied, whatever it takes until every node has it. */
async function apply(stage: TestStage, change: (declared: Declaration) => void): Promise<void> {
  const file = join(stage.record.root, 'cluster.yaml');
  const declared = declaration.parse(parse(readFileSync(file, 'utf8')));
  change(declared);
  writeFileSync(file, stringify(declared));
  const { code, stderr } = await stage.cli('apply', file, '--timeout', '1s');
  expect([0, 1], stderr).toContain(code);
}

/** As the stage's account; libpq's own words on a failure. */
async function psql(
  stage: TestStage,
  target: string,
  env: Readonly<Record<string, string>> = {},
  sql = 'select current_database()',
): Promise<string> {
  const { stdout, stderr } = await run('psql', ['-XAtq', target, '-c', sql], {
    withinMs: 20_000,
    anyExit: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', ...env },
    ...(process.getuid?.() === 0 ? { user: stage.record.user } : {}),
  });
  return `${stdout}${stderr}`.trim();
}

async function filesLeadToThePooler(stage: TestStage): Promise<void> {
  const directory = join(applicationFiles(stage.record, 'app1'), 'shop');
  expect(readdirSync(directory).sort()).toEqual(['ca.crt', 'connection.json', 'env', 'pg_service.conf', 'pgpass']);
  const service = { PGSERVICEFILE: join(directory, 'pg_service.conf') };
  expect(await psql(stage, 'service=shop', service)).toBe('shop');
  expect(await psql(stage, 'service=shop-ro', service)).toBe('shop');
  const lines = readFileSync(join(directory, 'env'), 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line));
  const environment = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  expect(await psql(stage, '', environment)).toBe('shop');
  expect(await psql(stage, environment.DATABASE_URL_RO ?? '')).toBe('shop');
  expect(await psql(stage, (await stage.cli('uri', '--node', 'app1')).stdout.trim())).toBe('shop');
}

/** Found as an application library finds it: by connection.json. */
async function topologyIsTold(stage: TestStage): Promise<void> {
  const file = join(applicationFiles(stage.record, 'app1'), 'shop', 'connection.json');
  const { nodes, topology: socketPath } = z
    .object({ nodes: z.record(z.string(), z.string()), topology: z.string() })
    .parse(JSON.parse(readFileSync(file, 'utf8')));
  expect(nodes).toEqual({ db1: 'shop.db1', db2: 'shop.db2' });
  const asked = request({ socketPath, path: '/v1/topology/stream' }).end();
  const [response]: AsyncIterable<Buffer>[] = await once(asked, 'response');
  let told = '';
  for await (const piece of response ?? []) {
    told += String(piece);
    if (told.includes('\n')) break;
  }
  asked.destroy();
  const { pooler, topology } = parseLocalTopology(JSON.parse(told.split('\n')[0] ?? ''));
  expect(pooler).toEqual({ state: 'open', readOnly: false });
  const { primary, standbys = [] } = topology ?? {};
  expect([primary, ...standbys]).toMatchObject([
    { node: 'db1', timeline: 1 },
    { node: 'db2', timeline: 1 },
  ]);
  for (const [node, isStandby] of [
    ['db1', 'f'],
    ['db2', 't'],
  ] as const) {
    const uri = (await stage.cli('uri', '--node', node, '--read-only')).stdout.trim();
    expect(await psql(stage, uri, {}, 'select pg_is_in_recovery()')).toBe(isStandby);
    expect(await psql(stage, uri, {}, 'create table t ()')).toContain('read-only transaction');
  }
}

async function strangersAreTold(stage: TestStage): Promise<void> {
  const shop = (declared: Declaration, files: unknown) => {
    const application = declared.applications.shop;
    if (application === undefined) throw new Error('the demonstration has no shop');
    application.files = files;
  };
  await apply(stage, (declared) => shop(declared, { owner: 'nobody-here' }));
  const told = await stage.until('trouble', ({ poolers }) => poolers.some((pooler) => pooler.report?.trouble !== null));
  expect(told.poolers[0]?.report?.trouble).toMatch(/files of shop: there is no user nobody-here/);
  expect((await stage.cli('status')).stdout).toContain('there is no user nobody-here');
  expect((await stage.cli('doctor')).stdout).toContain('there is no user nobody-here');
  // What was there goes on to serve.
  await filesLeadToThePooler(stage);
  await apply(stage, (declared) => shop(declared, { mode: '0640' }));
  await stage.untilHealthy();
  const mode = (name: string) =>
    (statSync(join(applicationFiles(stage.record, 'app1'), 'shop', name)).mode & 0o777).toString(8);
  expect([mode('env'), mode('pg_service.conf'), mode('pgpass')]).toEqual(['640', '640', '600']);
}

async function directIsVerified(stage: TestStage): Promise<void> {
  const { ca, certificate, key } = combinedFiles(join(nodeDirectory(stage.record, 'app1'), 'tls'), 'node');
  const own = ` sslcert=${certificate} sslkey=${key}`;
  const printed = await stage.cli('uri', '--direct', '--app', 'shop', '--user', 'shop', '--format', 'libpq');
  const conninfo = printed.stdout.trim();
  expect(conninfo).toContain(`host=postgresql.${stage.record.domain}`);
  expect(conninfo).toContain('target_session_attrs=read-write');
  // Whom the servers let in is another matter: their own refusal comes after the handshake, and by their word.
  const isServer = /^shop$|FATAL: .*(password|pg_hba|certificate authentication failed|does not exist|not permitted)/;
  const reached = await psql(stage, `${conninfo}${own}`);
  expect(reached).toMatch(isServer);
  expect(reached).not.toMatch(/verify|certificate verify failed|does not match/);
  const json: unknown = JSON.parse((await stage.cli('uri', '--direct', '--read-only', '--json')).stdout);
  const parts = z
    .object({
      hosts: z.array(z.object({ host: z.string(), hostaddr: z.string(), port: z.number() })),
      sslrootcert: z.string(),
    })
    .parse(json);
  expect(parts.hosts.map(({ hostaddr }) => hostaddr)).toEqual(
    ['db2', 'db1'].map((name) => stage.record.nodes.find((node) => node.name === name)?.address),
  );

  const other = conninfo.replaceAll(`postgresql.${stage.record.domain}`, `mysql.${stage.record.domain}`);
  expect(await psql(stage, `${other}${own}`)).toMatch(/does not match host name "mysql\./);
  const foreign = mkdtempSync(join(tmpdir(), 'understudy-foreign-'));
  try {
    const wrong = join(foreign, 'ca.crt');
    const authority = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const names = ['-subj', '/CN=foreign', '-keyout', join(foreign, 'ca.key'), '-out', wrong];
    await run('openssl', [...authority, ...names], { withinMs: 20_000 });
    await run('chmod', ['-R', 'a+rX', foreign], { withinMs: 5_000 });
    const misled = conninfo.replace(/sslrootcert=\S+/, `sslrootcert=${wrong}`);
    expect(await psql(stage, `${misled}${own}`)).toMatch(/certificate verify failed/);
    const attempt = (pem: string, servername: string) =>
      tryPg({ host: parts.hosts[1]?.hostaddr ?? '', ca: pem, servername, certificate, key });
    const trusted = readFileSync(ca, 'utf8');
    expect(await attempt(trusted, `postgresql.${stage.record.domain}`)).toMatch(/^shop$|^from the server: /);
    expect(await attempt(trusted, `mysql.${stage.record.domain}`)).toMatch(/does not match certificate's altnames/);
    expect(await attempt(readFileSync(wrong, 'utf8'), `postgresql.${stage.record.domain}`)).toMatch(
      /self-signed certificate in certificate chain|unable to (verify|get)/,
    );
  } finally {
    rmSync(foreign, { recursive: true });
  }
}

/** `pg` takes the address for the host, and the name to verify beside it. */
async function tryPg(to: { host: string; ca: string; servername: string; certificate: string; key: string }) {
  const client = new pg.Client({
    host: to.host,
    port: 5432,
    user: 'shop',
    database: 'shop',
    connectionTimeoutMillis: 5_000,
    ssl: {
      ca: to.ca,
      servername: to.servername,
      cert: readFileSync(to.certificate, 'utf8'),
      key: readFileSync(to.key, 'utf8'),
    },
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query('select current_database() as place');
    return String(rows[0]?.place);
  } catch (error) {
    return error instanceof pg.DatabaseError ? `from the server: ${error.message}` : String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

test('applications find their files, and clients verify servers', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 2 }, async (stage) => {
    await stage.untilHealthy();
    await filesLeadToThePooler(stage);
    await topologyIsTold(stage);
    await strangersAreTold(stage);
    await directIsVerified(stage);

    await apply(stage, (declared) => {
      const shop = declared.applications.shop;
      if (shop === undefined) throw new Error('the demonstration has no shop');
      shop.nodes = shop.nodes.filter((node) => node !== 'app2');
    });
    const left = join(applicationFiles(stage.record, 'app2'), 'shop');
    await expect.poll(() => existsSync(left), { timeout: 20_000 }).toBe(false);
    expect(existsSync(join(nodeDirectory(stage.record, 'app2'), 'state', 'apps', 'shop'))).toBe(false);

    await apply(stage, (declared) => {
      declared.applications = {};
      declared.nodes.app = {};
    });
    const gone = join(applicationFiles(stage.record, 'app1'), 'shop');
    await expect.poll(() => existsSync(gone), { timeout: 30_000 }).toBe(false);
  });
});
