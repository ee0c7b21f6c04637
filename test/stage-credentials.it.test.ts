/**
 * Credentials of applications on a real cluster: rotations under load and across a switchover fail no transaction; what the
 * server lost is made anew; and a password is good for nothing from anywhere but its own pooler.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { combinedFiles } from '../src/pki/credential-files.ts';
import { run } from '../src/process/run.ts';
import { clusterFile, nodeDirectory } from '../src/stage/record.ts';
import { serialsOf, untilAllRenewed } from './fixtures/certificates.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';
import { startStageLoad } from './fixtures/stage-load.ts';

const listed = z.array(z.object({ node: z.string(), generation: z.number().nullable(), inUse: z.number().nullable() }));
const clients = z.array(
  z.object({
    node: z.string(),
    clientPassword: z.object({ inUse: z.object({ former: z.number() }).nullable() }).nullable(),
  }),
);

async function inUse(stage: TestStage): Promise<Readonly<Record<string, number | null>>> {
  const found = listed.parse(JSON.parse((await stage.cli('credentials', '--json')).stdout));
  return Object.fromEntries(found.map((one) => [one.node, one.inUse]));
}

/** Clients there that are connected by the password before. */
async function formerClients(stage: TestStage, node: string): Promise<number | undefined> {
  const found = clients.parse(JSON.parse((await stage.cli('credentials', '--json')).stdout));
  return found.find((one) => one.node === node)?.clientPassword?.inUse?.former;
}

/** By which a node's pooler logs in. */
function login(stage: TestStage, node: string): { readonly user: string; readonly password: string } {
  const userlist = readFileSync(join(nodeDirectory(stage.record, node), 'state', 'pgbouncer', 'userlist.txt'), 'utf8');
  const [, user = '', password = ''] = /^"([^"]+@[^"]+)" "([^"]+)"$/m.exec(userlist) ?? [];
  return { user, password };
}

/** A change as the superuser, over a node's own socket. */
async function superuser({ record }: TestStage, node: string, sql: string): Promise<void> {
  const user = process.getuid?.() === 0 ? { user: record.user } : {};
  const args = ['-X', '-q', '-h', join(record.run, node), '-U', 'postgres', '-d', 'postgres', '-c', sql];
  await run('psql', args, { withinMs: 10_000, ...user, cwd: '/' });
}

/** Answers who one is at the server, or what it said. */
async function logIn(stage: TestStage, as: pg.ClientConfig): Promise<string> {
  const { address = '' } = stage.record.nodes.find(({ name }) => name === 'db1') ?? {};
  const client = new pg.Client({ host: address, port: 5432, database: 'shop', ...as });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const result: { rows: { who: string }[] } = await client.query('select current_user as who');
    return result.rows[0]?.who ?? '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await client.end();
  }
}

function tlsOf(stage: TestStage, node: string) {
  const files = combinedFiles(join(nodeDirectory(stage.record, node), 'tls'), 'node');
  const read = (path: string) => readFileSync(path, 'utf8');
  return {
    ca: read(files.ca),
    cert: read(files.certificate),
    key: read(files.key),
    servername: 'postgresql.stage.internal',
  };
}

test.runIf(process.env.TEST_LONG === '1')(
  'credentials and certificates are replaced without a failed transaction; passwords are good for their own pooler alone',
  {
    timeout: 300_000,
  },
  async () => {
    await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
      await stage.untilWhole();
      const file = join(stage.directory, 'declared.yaml');
      const text = readFileSync(clusterFile(stage.record), 'utf8').replace('life: 7d', 'life: 2min');
      const certificates = serialsOf(stage);
      writeFileSync(file, text);
      expect(await stage.cli('apply', file)).toMatchObject({ code: 0 });
      const { load, untilCommitted, judged } = await startStageLoad(stage, { writers: 8 });
      await untilCommitted(200);
      expect(await stage.cli('credentials', 'rotate')).toMatchObject({ code: 0 });
      expect(await inUse(stage)).toEqual({ app1: 2, app2: 2 });
      expect(await stage.cli('switchover', '--to', 'db2')).toMatchObject({ code: 0 });
      expect(await stage.cli('credentials', 'rotate', 'shop', '--node', 'app2')).toMatchObject({ code: 0 });
      expect(await stage.cli('credentials', 'rotate')).toMatchObject({ code: 0 });
      expect(await inUse(stage)).toEqual({ app1: 3, app2: 4 });
      // What the application itself logs in with: the load goes on by the one before, which keeps it from ending.
      expect(await stage.cli('credentials', 'rotate', '--clients')).toMatchObject({ code: 0 });
      expect(stage.application('app1')).toMatchObject({ user: 'shop.2' });
      await expect.poll(() => formerClients(stage, 'app1')).toBeGreaterThan(0);
      expect(await stage.cli('credentials', 'rotate', '--clients')).toMatchObject({ code: 3 });
      expect(stage.application('app1')).toMatchObject({ user: 'shop.2' });
      // Two thirds of two minutes are waited for in the long run alone.
      await untilAllRenewed(stage, certificates);
      await untilCommitted(200);
      await load.stop();
      const report = await judged();
      expect(report.verdict.outcome).toBe('sound');
      for (const { failed, unknown } of report.verdict.workloads) expect([failed, unknown]).toEqual([0, 0]);

      // --- nobody is connected by the former password any more: it ends
      await expect.poll(() => formerClients(stage, 'app1'), { timeout: 20_000 }).toBe(0);
      expect(await stage.cli('credentials', 'rotate', 'shop', '--clients', '--node', 'app1')).toMatchObject({
        code: 0,
      });
      expect(stage.application('app1')).toMatchObject({ user: 'shop' });
      expect(stage.application('app2')).toMatchObject({ user: 'shop.2' });

      // --- lost by the server, as with a restored role: another one is made, on the login that the pooler does not use
      await superuser(stage, 'db2', `alter role "${login(stage, 'app1').user}" password null`);
      // The next generation, or the one after where the pooler was just going over to this one.
      await expect.poll(async () => (await inUse(stage)).app1, { timeout: 40_000 }).toBeGreaterThan(3);
      const remade = (await inUse(stage)).app1 ?? 0;
      expect(await stage.cli('switchover', '--to', 'db1')).toMatchObject({ code: 0 });
      await stage.untilWhole();

      // --- one node's password is good neither without its certificate nor in plain text; an old one not at all
      const own = login(stage, 'app1');
      expect(await logIn(stage, { ...own, ssl: tlsOf(stage, 'app1') })).toBe('shop');
      const { cert: _, key: __, ...anonymous } = tlsOf(stage, 'app1');
      expect(await logIn(stage, { ...own, ssl: anonymous })).toMatch(/client certificate/);
      expect(await logIn(stage, own)).toMatch(/no pg_hba.conf entry/);
      expect(await logIn(stage, { ...own, password: 'guessed', ssl: tlsOf(stage, 'app1') })).toMatch(
        /authentication failed/,
      );
      await stage.cli('credentials', 'rotate', '--node', 'app1');
      await expect
        .poll(() => logIn(stage, { ...own, ssl: tlsOf(stage, 'app1') }))
        .toMatch(/authentication failed|not permitted/);

      // --- a node that is taken away is out within seconds, in the middle of a query
      const known = stage.application('app2');
      const client = new pg.Client(known);
      client.on('error', () => undefined);
      await client.connect();
      const ended = client.query('select pg_sleep(60)').then(
        () => 'it went on',
        () => 'ended',
      );
      const taken = login(stage, 'app2');
      writeFileSync(file, text.replace(/^ +- app2\n/m, ''));
      expect(await stage.cli('apply', file)).toMatchObject({ code: 0 });
      expect(await ended).toBe('ended');
      expect(await logIn(stage, { ...taken, ssl: tlsOf(stage, 'app2') })).toMatch(/no pg_hba.conf entry|failed/);
      // Its files are gone, too; whoever kept the password is refused by the pooler.
      expect(() => stage.application('app2')).toThrow('ENOENT');
      const refused = new pg.Client(known);
      refused.on('error', () => undefined);
      await expect(refused.connect()).rejects.toThrow();
      expect((await inUse(stage)).app1).toBeGreaterThan(remade);
    });
  },
);
