import { createServer, type Server } from 'node:https';
import { afterEach, expect, it } from 'vitest';
import { createIssuing, createRoot } from '../pki/authority.ts';
import type { Credentials } from '../pki/credential-files.ts';
import { issue } from '../pki/issue.ts';
import { requireTrustOf } from './member-trust.ts';

const cluster = 'psf';
const validity = { lifeMs: 365 * 86_400_000, nowMs: Date.now() };
const servers: Server[] = [];

afterEach(() => servers.splice(0).map((server) => server.close()));

async function credentials(): Promise<{ readonly server: Credentials; readonly client: Credentials }> {
  const authority = await createIssuing(await createRoot({ cluster, ...validity }), { cluster, ...validity });
  const addresses = ['127.0.0.1'];
  return {
    server: await issue(authority, { kind: 'store-server', cluster, name: 'db1', addresses, ...validity }),
    client: await issue(authority, { kind: 'store-client', cluster, name: 'db1', ...validity }),
  };
}

/** As etcd does: it asks for a certificate that these roots have vouched for. */
async function member({ certificatePem: cert, keyPem: key }: Credentials, ca: string): Promise<string> {
  const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (_, response) => {
    response.end('{}');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('it listens on no port');
  return `https://127.0.0.1:${bound.port}`;
}

it('names the members that do not accept a certificate, and none that is down', async () => {
  const [ours, others] = [await credentials(), await credentials()];
  const asked = { ca: ours.server.caPem, certificate: ours.client.certificatePem, key: ours.client.keyPem };
  const accepting = await member(ours.server, ours.server.caPem);
  const refusing = await member(ours.server, others.server.caPem);
  const down = 'https://127.0.0.1:1';
  await expect(requireTrustOf([accepting, down], asked)).resolves.toBeUndefined();
  await expect(requireTrustOf([accepting, refusing], asked)).rejects.toMatchObject({
    code: 'STORE_CERTIFICATE',
    message: expect.stringContaining(refusing),
  });
});
