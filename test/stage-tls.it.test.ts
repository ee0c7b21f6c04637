/**
 * Which TLS every service of a cluster speaks, asked by `openssl s_client`: 1.3 alone, and 1.2 where an exception is declared,
 * from that moment on.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { combinedFiles } from '../src/pki/credential-files.ts';
import { run } from '../src/process/run.ts';
import { nodeDirectory } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

type Version = 'tls1_1' | 'tls1_2' | 'tls1_3';

/** The version that came of it, or `refused`. */
async function handshake(stage: TestStage, node: string, port: number, version: Version, more: string[] = []) {
  const { ca, certificate, key } = combinedFiles(join(nodeDirectory(stage.record, 'db1'), 'tls'), 'node');
  const address = stage.record.nodes.find(({ name }) => name === node)?.address ?? '';
  const args = [
    '-connect',
    `${address}:${port}`,
    `-${version}`,
    '-CAfile',
    ca,
    '-cert',
    certificate,
    '-cert_chain',
    certificate,
    '-key',
    key,
  ];
  // Lets the old versions be spoken by openssl itself, which refuses them on its own.
  const old = version === 'tls1_1' ? ['-cipher', 'DEFAULT:@SECLEVEL=0'] : [];
  const { stdout, stderr } = await run('openssl', ['s_client', ...args, ...old, ...more], {
    withinMs: 10_000,
    input: '',
    anyExit: true,
  });
  const said = /^ *(?:New, )?(TLSv[0-9.]+), Cipher is (\S+)/m.exec(stdout);
  if (said !== null && said[2] !== '(NONE)') return `${said[1]} ${said[2]}`;
  return /alert|no protocols|unsupported|handshake failure|unexpected eof/i.test(stderr)
    ? 'refused'
    : `${stdout}${stderr}`;
}

const postgres = ['-starttls', 'postgres'];
const weak = ['-cipher', 'AES128-SHA'];

async function declare(stage: TestStage, text: string): Promise<void> {
  const file = join(stage.record.root, 'cluster.yaml');
  const before = readFileSync(file, 'utf8').replace(/^tls:[\s\S]*?(?=^\S|$(?![\s\S]))/m, '');
  writeFileSync(file, `${before}${text}`);
  const { code, stderr } = await stage.cli('apply', file);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

test('every service speaks what is declared, and nothing less', { timeout: 300_000 }, async () => {
  await withStage({ nodes: 2, appNodes: 1 }, async (stage) => {
    await stage.untilHealthy();
    const services = [
      ['postgresql', 'db1', 5432, postgres],
      ['pooler', 'app1', 6432, postgres],
      ['api', 'db1', 7432, []],
      ['api of an app node', 'app1', 7432, []],
    ] as const;
    const ask = async (version: Version, more: string[] = []) =>
      await Promise.all(
        services.map(async ([name, node, port, start]) => [
          name,
          await handshake(stage, node, port, version, [...start, ...more]),
        ]),
      );
    const all = (answer: unknown) => services.map(([name]) => [name, answer]);
    expect(await ask('tls1_3')).toEqual(all(expect.stringMatching(/^TLSv1.3 TLS_/)));
    expect(await ask('tls1_2')).toEqual(all('refused'));

    await declare(stage, 'tls: { policy: compatible }\n');
    const open = all(expect.stringMatching(/^TLSv1.2 ECDHE-.*(GCM|POLY1305)/));
    await expect.poll(async () => await ask('tls1_2'), { timeout: 20_000 }).toEqual(open);
    expect(await ask('tls1_2', weak)).toEqual(all('refused'));
    expect(await ask('tls1_1')).toEqual(all('refused'));

    const exception = 'tls: { exceptions: { api: { policy: compatible, because: an old probe } } }\n';
    await declare(stage, exception);
    const isRefused = async () => (await ask('tls1_2')).map(([name, answer]) => [name, answer === 'refused']);
    await expect.poll(isRefused, { timeout: 20_000 }).toEqual([
      ['postgresql', true],
      ['pooler', true],
      ['api', false],
      ['api of an app node', false],
    ]);

    const store = async (version: Version, more: string[] = []) => await handshake(stage, 'db1', 2379, version, more);
    expect(await store('tls1_3')).toMatch(/^TLSv1.3/);
    expect(await store('tls1_2')).toMatch(/^TLSv1.2 ECDHE-.*GCM/);
    expect(await store('tls1_2', weak)).toBe('refused');
    expect(await store('tls1_1')).toBe('refused');
  });
});
