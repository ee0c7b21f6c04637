/** The verbs that only read, and what they say when nobody answers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { UnderstudyError } from '../src/errors/understudy-error.ts';
import { startApi, until } from './fixtures/api-world.ts';
import { cliSite } from './fixtures/cli-site.ts';
import { exampleEvent, exampleLostReport, exampleReceipt } from './fixtures/fake-backend.ts';

const site = cliSite();
const { cli, start, writeContext } = site;

describe('nobody answers', () => {
  beforeEach(() => site.world.close());

  it.each([['status'], ['events'], ['why'], ['receipts'], ['receipt'], ['switchover'], ['reinit', 'pg0']])(
    '%s exits 4 and names the address',
    async (...argv) => {
      const { exit, out, err } = await cli(...argv);
      expect({ exit, out }).toEqual({ exit: 4, out: '' });
      expect(err).toContain(`127.0.0.1:${site.world.port}`);
      expect(err).toMatch(/^hint: /m);
    },
  );

  it('says it as JSON', async () => {
    const { exit, err } = await cli('status', '--json');
    expect(exit).toBe(4);
    expect(JSON.parse(err)).toMatchObject({ code: 'AGENT_UNREACHABLE', retry: 'later' });
  });

  it('doctor counts it as a failure', async () => {
    const { exit, out } = await cli('doctor');
    expect(exit).toBe(1);
    expect(out).toContain('✗ agent: ');
  });
});

describe('reading', () => {
  it('shows the status, and the same as JSON', async () => {
    const { exit, out } = await cli('status');
    expect(exit).toBe(0);
    expect(out).toMatch(/^psf HEALTHY {2}term 8 {2}timeline 4 {2}spec 3\n/);
    expect(out).toContain('poolers 1/1 open  12 clients');
    expect(out).toContain('last switchover R-0142');
    expect(JSON.parse((await cli('status', '--json')).out)).toMatchObject({ cluster: 'psf', verdict: 'HEALTHY' });
  });

  it('goes on to the next agent when one is gone', async () => {
    const gone = await startApi(site.callers);
    await gone.close();
    writeContext([gone.port, site.world.port]);
    expect((await cli('status')).exit).toBe(0);
  });

  it('passes on what the agent says instead', async () => {
    site.world.backend.failure = new UnderstudyError('REFUSED', 'not now');
    site.world.backend.status = () => {
      throw site.world.backend.failure;
    };
    expect(await cli('status')).toMatchObject({ exit: 3, err: 'understudy: not now\nhint: see the reasons given\n' });
  });

  it('prints events, one per line', async () => {
    const { out } = await cli('events', '--after', '1');
    expect(out.trimEnd().split('\n')).toEqual([
      '    2  2026-11-19T14:00:00Z  pg0  pg0 holds the lease, term 2',
      '    3  2026-11-19T14:00:00Z  pg0  pg0 holds the lease, term 3',
    ]);
  });

  it.each(['asked', 'hung-up'] as const)('follows events until it is interrupted (%s)', async (how) => {
    const { ended, interrupt, written } = start('events', '--follow', '--json');
    await until(() => written.out.includes('"sequence":3'), 'the old events');
    site.world.backend.journal.take([exampleEvent(4)]);
    await until(() => written.out.includes('"sequence":4'), 'the new event');
    interrupt(how);
    expect(await ended).toBe(0);
  });

  it('shows a receipt', async () => {
    const { out } = await cli('receipt');
    expect(out).toContain('pg1 is primary, term 9. Writes waited 121 ms.');
    expect(out).toMatch(/wiki +31 +119 ms +0/);
    expect(out).toContain('Undo: understudy switchover --to pg0');
    expect((await cli('receipt', 'R-9')).exit).toBe(2);
    expect(JSON.parse((await cli('receipts', '--json')).out)).toEqual([exampleReceipt]);
  });

  it('lists what was lost', async () => {
    expect((await cli('lost')).out).toContain('2 transactions committed alone');
    expect(JSON.parse((await cli('lost', '--json')).out)).toEqual([{ node: 'pg0', reports: [exampleLostReport] }]);
    expect((await cli('lost', '--node', 'pg7')).exit).toBe(2);
  });

  it('says why', async () => {
    expect((await cli('why')).out).toContain('pg0 at 2026-11-19T14:00:00Z, from view abc\n  nothing to do');
    expect((await cli('why', '--node', 'pg7')).exit).toBe(2);
  });
});

describe('uri', () => {
  function writeConnection(application: string): void {
    const state = join(site.directory, 'apps', application);
    mkdirSync(state, { recursive: true });
    const connection = {
      host: '127.0.0.9',
      port: 6432,
      socketDirectory: '/run/x',
      user: application,
      passfile: join(state, 'pgpass'),
      write: application,
      read: `${application}-ro`,
      nodes: { pg0: `${application}.pg0`, pg1: `${application}.pg1` },
      topology: '/run/x/topology.sock',
    };
    writeFileSync(join(state, 'connection.json'), JSON.stringify(connection));
  }

  it('names the passfile and no password', async () => {
    writeConnection('wiki');
    const passfile = encodeURIComponent(join(site.directory, 'apps', 'wiki', 'pgpass'));
    expect((await cli('uri')).out).toBe(`postgresql://wiki@127.0.0.9:6432/wiki?passfile=${passfile}&sslmode=disable\n`);
    expect((await cli('uri', '--read-only')).out).toContain('/wiki-ro?');
  });

  it('leads to one database node for reads alone', async () => {
    writeConnection('wiki');
    expect((await cli('uri', '--node', 'pg1', '--read-only')).out).toContain('6432/wiki.pg1?passfile=');
    const environment = (await cli('uri', '--node', 'pg1', '--read-only', '--format', 'env')).out;
    expect(environment).toContain('PGDATABASE=wiki.pg1\n');
    expect(await cli('uri', '--node', 'pg1')).toMatchObject({ exit: 2, out: '' });
    const unknown = await cli('uri', '--node', 'pg9', '--read-only');
    expect(unknown).toMatchObject({ exit: 2, out: '' });
    expect(unknown.err).toContain('database nodes: pg0, pg1');
  });

  it('says the same as a service file and an environment, without the password', async () => {
    writeConnection('wiki');
    const passfile = join(site.directory, 'apps', 'wiki', 'pgpass');
    const service = (await cli('uri', '--format', 'service')).out;
    expect(service).toContain('[wiki-ro]\nhost=127.0.0.9');
    expect(service.match(/^passfile=(.*)$/m)?.[1]).toBe(passfile);
    const environment = (await cli('uri', '--format', 'env', '--read-only')).out;
    expect(environment).toContain(`PGDATABASE=wiki-ro\nPGPASSFILE=${passfile}\n`);
    expect(JSON.parse((await cli('uri', '--format', 'json')).out)).toMatchObject({ application: 'wiki', passfile });
    expect(await cli('uri', '--format', 'libpq')).toMatchObject({ exit: 2, out: '' });
    expect(await cli('uri', '--user', 'wiki')).toMatchObject({ exit: 2, out: '' });
  });

  it('leads straight to the servers, the primary first, or last for reads', async () => {
    const { out } = await cli('uri', '--direct', '--app', 'wiki', '--user', 'report', '--format', 'libpq');
    expect(out).toMatch(
      /^host=postgresql\.psf\.io,postgresql\.psf\.io hostaddr=\S+,\S+ port=5432,5432 dbname=wiki user=report/,
    );
    const { hosts, targetSessionAttrs } = JSON.parse((await cli('uri', '--direct', '--json')).out);
    const reading = JSON.parse((await cli('uri', '--direct', '--json', '--read-only')).out);
    expect(targetSessionAttrs).toBe('read-write');
    expect(reading).toMatchObject({
      targetSessionAttrs: 'prefer-standby',
      hosts: [...hosts].reverse(),
      sslmode: 'verify-full',
    });
    expect((await cli('uri', '--direct')).out).toContain('postgresql:///?host=postgresql.psf.io');
    expect((await cli('uri', '--direct', '--app', 'pay')).exit).toBe(2);
    expect((await cli('uri', '--direct', '--format', 'env')).exit).toBe(2);
  });

  it('lists the applications when it has to be told which', async () => {
    writeConnection('wiki');
    writeConnection('shop');
    const { exit, err } = await cli('uri');
    expect(exit).toBe(2);
    expect(err).toContain('shop, wiki');
    expect((await cli('uri', '--app', 'shop', '--node', 'web0')).out).toContain('postgresql://shop@');
    expect((await cli('uri', '--app', 'pay')).exit).toBe(2);
  });
});
