/** Certificates for services of the user's own: made where they are declared, verified by OpenSSL, renewed, and taken away. Played with `TEST_LONG=1`. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { expect, it } from 'vitest';
import { run } from '../src/process/run.ts';
import { clusterFile, nodeDirectory } from '../src/stage/record.ts';
import { type TestStage, withStage } from './fixtures/stage.ts';

const name = 'web.example.org';

function rewrite({ record }: TestStage, change: (text: string) => string): string {
  const file = clusterFile(record);
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  return file;
}

/** The file of a node, made a map with a role. */
function withRole(text: string, node: string): string {
  return text.replace(new RegExp(`^( +)${node}: ([0-9.]+)$`, 'm'), `$1${node}: { address: $2, roles: [web] }`);
}

async function handshake(directory: string, servername: string): Promise<boolean> {
  const read = (file: string) => readFileSync(join(directory, file), 'utf8');
  const server = createServer({ cert: read('chain.pem'), key: read('key.pem') }, (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket = connect({ host: '127.0.0.1', port, servername, ca: read('ca.pem') });
  try {
    return await once(socket, 'secureConnect').then(
      () => true,
      () => false,
    );
  } finally {
    socket.destroy();
    server.close();
  }
}

const isLong = process.env.TEST_LONG === '1';

it.runIf(isLong)(
  'are there on the nodes of their roles, verify, are renewed and taken up, and go with their declaration',
  async () => {
    await withStage({ nodes: 3, appNodes: 2 }, async (stage) => {
      await stage.untilWhole();
      const { record } = stage;
      const directory = (node: string) => join(nodeDirectory(record, node), 'certificates', name);
      const hooks = join(stage.directory, 'hooks');
      mkdirSync(hooks, { mode: 0o777 });
      await run('chmod', ['0777', stage.directory, hooks], { withinMs: 5_000 });
      const before = readFileSync(clusterFile(record), 'utf8');
      const file = rewrite(stage, (text) =>
        [
          withRole(withRole(text, 'app1'), 'db2').trimEnd(),
          'certificates:',
          `  ${name}: { life: 2min, roles: [web], reload: [mktemp, -p, '${hooks}', XXXXXX] }`,
          '',
        ].join('\n'),
      );
      expect((await stage.cli('plan', file)).stdout).toMatch(new RegExp(`\\+ certificate ${name}`));
      expect(await stage.cli('apply', file)).toMatchObject({ code: 0 });
      await stage.until('the files', () => readdirSync(hooks).length === 2, 60_000);

      for (const node of ['app1', 'db2']) {
        const at = directory(node);
        const [ca, chain] = [join(at, 'ca.pem'), join(at, 'chain.pem')];
        const modes = ['key.pem', 'combined.pem'].map((one) => statSync(join(at, one)).mode & 0o777);
        expect(modes).toEqual([0o600, 0o600]);
        const verify = [
          'verify',
          '-CAfile',
          ca,
          '-untrusted',
          chain,
          '-purpose',
          'sslserver',
          '-verify_hostname',
          name,
          chain,
        ];
        expect((await run('openssl', verify, { withinMs: 10_000, anyExit: true })).stdout).toContain('OK');
        const asClient = ['verify', '-CAfile', ca, '-untrusted', chain, '-purpose', 'sslclient', chain];
        expect((await run('openssl', asClient, { withinMs: 10_000, anyExit: true })).code).not.toBe(0);
        expect(await handshake(at, name)).toBe(true);
        expect(await handshake(at, 'other.example.org')).toBe(false);
      }
      expect(['app2', 'db1', 'db3'].filter((node) => existsSync(directory(node)))).toEqual([]);
      const listed = (await stage.cli('certificates')).stdout;
      expect(listed.match(/ own +web\.example\.org +\w+/g)).toHaveLength(2);

      // Two thirds of two minutes are waited for in the long run alone.
      const serial = () => new X509Certificate(readFileSync(join(directory('app1'), 'chain.pem'))).serialNumber;
      const first = serial();
      const isRenewed = () => serial() !== first && readdirSync(hooks).length >= 4;
      await stage.until('a renewal, taken up', isRenewed, 110_000);

      writeFileSync(clusterFile(record), before);
      expect((await stage.cli('plan', file)).stdout).toMatch(new RegExp(`- certificate ${name}`));
      expect(await stage.cli('apply', file)).toMatchObject({ code: 0 });
      await stage.until('nothing left', () => !['app1', 'db2'].some((node) => existsSync(directory(node))), 30_000);
    });
  },
  400_000,
);
