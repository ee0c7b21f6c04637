/**
 * Revoked certificates on a real cluster: of an app node, which nobody takes any more, on either server, before and after a
 * switchover and a new clone; and of a viewer.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { certificatesOf } from '../src/stage/certificates.ts';
import { stagePorts } from '../src/stage/network.ts';
import { contextFile, nodeDirectory } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const servers = ['db1', 'db2'] as const;
const addressOf = ({ record }: TestStage, node: string) =>
  record.nodes.find(({ name }) => name === node)?.address ?? '';

function tlsOf({ record }: TestStage, node: string) {
  const files = certificatesOf(record, node).node;
  const read = (path: string) => readFileSync(path, 'utf8');
  return {
    ca: read(files.ca),
    cert: read(files.certificate),
    key: read(files.key),
    checkServerIdentity: () => undefined,
  };
}

/** Answers the status, or the code of the error. */
function call(stage: TestStage, as: string, to: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request({
      ...{ ...tlsOf(stage, as), rejectUnauthorized: false, agent: false },
      ...{ host: addressOf(stage, to), port, method: 'GET', path: '/v1/topology', timeout: 5_000 },
    });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

/** By which app1's pooler logs in; what the server says. */
async function logIn(stage: TestStage, to: string): Promise<string> {
  const userlist = readFileSync(
    join(nodeDirectory(stage.record, 'app1'), 'state', 'pgbouncer', 'userlist.txt'),
    'utf8',
  );
  const [, user = '', password = ''] = /^"([^"]+@[^"]+)" "([^"]+)"$/m.exec(userlist) ?? [];
  const client = new pg.Client({
    ...{ host: addressOf(stage, to), port: stagePorts.postgres, database: 'shop', user, password },
    ssl: tlsOf(stage, 'app1'),
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return 'let in';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    // Of a connection that was refused in its handshake the end never comes.
    client.end().catch(() => undefined);
  }
}

async function sessionsOf(stage: TestStage, node: string, serial: string): Promise<number> {
  const decimal = BigInt(`0x${serial}`).toString();
  const sql = `select count(*)::int as sessions from pg_stat_ssl where client_serial = ${decimal}`;
  return z.object({ sessions: z.number() }).parse((await stage.local(node, sql))[0]).sessions;
}

const listing = z.array(z.object({ serial: z.string(), state: z.string(), name: z.string(), kind: z.string() }));

test('of a node are taken by nobody, and of a viewer by no agent', { timeout: 120_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilWhole();
    const { record } = stage;
    const serial = new X509Certificate(readFileSync(certificatesOf(record, 'app1').node.certificate)).serialNumber;
    const pooled = new pg.Client(stage.application());
    pooled.on('error', () => undefined);
    await pooled.connect();
    await pooled.query('select 1');
    const { primary } = await stage.status();
    expect(await sessionsOf(stage, primary ?? '', serial)).toBeGreaterThan(0);
    for (const to of servers)
      expect([await call(stage, 'app1', to, 7432), await logIn(stage, to)]).toEqual([200, 'let in']);
    // Nothing is revoked yet, and PostgreSQL has no list that could go wrong.
    const list = (node: string) => join(nodeDirectory(record, node), 'state', 'revoked.crl');
    expect(servers.map((node) => existsSync(list(node)))).toEqual([false, false]);

    const revoked = await stage.cli('certificates', 'revoke', '--node', 'app1', '--yes');
    expect([revoked.code, revoked.stdout.split('\n')[0]]).toEqual([0, '2 certificates revoked.']);
    const refused = async (): Promise<void> => {
      for (const to of servers) {
        expect(await call(stage, 'app1', to, 7432), `the API of ${to}`).toBe(403);
        expect(await call(stage, 'app1', to, 7433), `the renewal port of ${to}`).toBe('ECONNRESET');
        const knock = await pollFor(
          () => logIn(stage, to),
          (said) => /revoked/.test(said),
        );
        expect(knock, `PostgreSQL on ${to}`).toMatch(/certificate revoked/);
        await pollFor(
          () => sessionsOf(stage, to, serial),
          (count) => count === 0,
        );
      }
    };
    await refused();
    pooled.end().catch(() => undefined);
    expect(servers.map((node) => existsSync(list(node)))).toEqual([true, true]);

    const [standby = ''] = servers.filter((node) => node !== primary);
    expect(await stage.cli('switchover', '--without-pooler', 'app1')).toMatchObject({ code: 0 });
    await refused();
    expect((await stage.status()).primary).toBe(standby);
    expect(await stage.cli('reinit', primary ?? '')).toMatchObject({ code: 0 });
    await refused();

    const listed = listing.parse(JSON.parse((await stage.cli('certificates', '--json')).stdout));
    expect(
      listed
        .filter(({ state }) => state === 'revoked')
        .map(({ kind, name }) => `${kind} ${name}`)
        .sort(),
    ).toEqual(['node app1', 'recipient app1']);
    const events = await stage.cli('events');
    expect(events.stdout).toContain(`revoked the certificate ${serial} of node app1`);
    const audit = await stage.cli('audit');
    expect(audit.stdout).toContain('ordered to revoke the certificates of node app1');

    const viewer = listed.find(({ kind }) => kind === 'viewer');
    const asViewer = () => stage.cli('status', '--context', contextFile(record, 'viewer'));
    expect(await asViewer()).not.toMatchObject({ code: 3 });
    expect(await stage.cli('certificates', 'revoke', viewer?.serial ?? '', '--yes')).toMatchObject({ code: 0 });
    const answer = await asViewer();
    expect(answer.code).toBe(3);
    expect(answer.stderr).toContain('has been revoked');

    expect(await stage.cli('certificates', 'revoke', 'ABCD', '--yes')).toMatchObject({ code: 3 });
    expect(await stage.cli('certificates', 'revoke', '--yes')).toMatchObject({ code: 2 });
    expect(await stage.cli('certificates', 'revoke', 'xyz', '--yes')).toMatchObject({ code: 2 });
  });
});

async function pollFor<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  let last = await ask();
  for (const endMs = performance.now() + 10_000; !holds(last) && performance.now() < endMs; last = await ask()) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return last;
}
