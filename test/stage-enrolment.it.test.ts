/** A machine that nobody knows becomes an app node of a stage by a token, with the files that enrolment wrote and no others. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { startDaemon } from '../src/process/daemon.ts';
import { run } from '../src/process/run.ts';
import { clusterFile } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

/** Writes the declaration with a second app node, on which the application runs too. */
function declareApp2({ record }: TestStage): { readonly file: string; readonly address: string } {
  const file = clusterFile(record);
  const text = readFileSync(file, 'utf8');
  const address = `${record.network}.102`;
  const declared = text
    .replace(/^( +)app1: [0-9.]+$/m, `$&\n$1app2: ${address}`)
    .replace(/^( +)- app1$/m, '$&\n$1- app2');
  writeFileSync(file, declared);
  return { file, address };
}

async function endAll(pattern: string): Promise<void> {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.includes(pattern) && Number(pid) !== process.pid) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

it('enrols by a token that is good once, serves its application, and is an operator’s to allow', async () => {
  await withStage({ nodes: 1, appNodes: 1 }, async (stage) => {
    await stage.untilHealthy();
    const { record } = stage;
    const { address, file } = declareApp2(stage);
    expect(await stage.cli('node', 'token', 'app2')).toMatchObject({ code: 2, stderr: /names no node app2/ });
    await stage.cli('apply', file, '--timeout', '1');
    const ordered = await stage.cli('node', 'token', 'app2', '--role', 'app', '--json');
    const { token }: { token: string } = JSON.parse(ordered.stdout);

    const machine = join(stage.directory, 'machine');
    mkdirSync(machine);
    await run('chmod', ['0755', stage.directory, machine], { withinMs: 5_000 });
    const tokenFile = join(machine, 'token');
    const at = (name: string) => join(machine, name);
    const places = ['--node-file', at('etc/node.yaml'), '--state', at('state'), '--run', at('run'), '--log', at('log')];
    const enrol = () =>
      stage.cli(
        ...['enrol', '--token-file', tokenFile, '--user', record.user.name, '--apps', at('apps')],
        ...[...places, '--pooler-address', address],
      );
    writeFileSync(tokenFile, `${token.slice(0, -1)}\n`);
    expect(await enrol()).toMatchObject({ code: 3, stderr: /not whole/ });
    writeFileSync(tokenFile, `${token}\n`);
    expect(await enrol()).toMatchObject({ code: 0, stdout: /app2 is an app node of stage/ });
    for (const name of ['node.pem', 'sealing.key']) expect(statSync(at(`state/tls/${name}`)).mode & 0o777).toBe(0o600);
    const sealingKey = readFileSync(at('state/tls/sealing.key'), 'utf8');
    expect(await enrol()).toMatchObject({ code: 3, stderr: /was used at/ });

    const program = join(record.root, 'program', 'understudy.mjs');
    const user = process.getuid?.() === 0 ? { user: record.user } : {};
    const env = { PATH: process.env.PATH ?? '', HOME: machine };
    const place = { cwd: '/', env, logFile: at('log/agent.log'), ...user };
    try {
      await startDaemon(process.execPath, [program, 'agent', '--config', at('etc/node.yaml')], place);
      await stage.until('the new pooler', ({ poolers }) => poolers.every(({ report }) => report?.state === 'open'));
      const secret = readFileSync(at('apps/shop/pgpass'), 'utf8').split('\n')[0]?.split(':').at(-1) ?? '';
      const client = new pg.Client({ host: address, port: 6432, user: 'shop', database: 'shop', password: secret });
      await client.connect();
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      await client.end();
    } finally {
      await endAll(machine);
    }

    // With a fresh token it comes back, with the key that its secrets are sealed to.
    writeFileSync(tokenFile, (await stage.cli('node', 'token', 'app2')).stdout);
    expect(await enrol()).toMatchObject({ code: 0 });
    expect(readFileSync(at('state/tls/sealing.key'), 'utf8')).toBe(sealingKey);
    const audited = (await stage.cli('audit', '--since', '1h')).stdout;
    expect(audited).toMatch(/enrolled as app2, by a token that operator had ordered/);
    expect(audited).toMatch(/was refused to enrol as app2: .*was used at/);
    expect(audited).not.toContain(token.slice(30, 60));

    expect(await stage.cli('operator', 'add', 'vera', '--role', 'viewer', '--out', at('vera'))).toMatchObject({
      code: 0,
    });
    const asVera = (...verb: string[]) => stage.cli('--context', at('vera/context.json'), ...verb);
    expect((await asVera('operator', 'list')).stdout).toMatch(/viewer +vera/);
    expect(await asVera('node', 'token', 'app2')).toMatchObject({ code: 3, stderr: /takes the role operator/ });
  });
}, 120_000);
