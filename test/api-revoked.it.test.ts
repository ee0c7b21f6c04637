/** Certificates that are revoked while the API serves them, at both ends of the connection. */
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createAgentClient } from '../src/api/client.ts';
import type { Credentials } from '../src/pki/credential-files.ts';
import { type ApiWorld, type Callers, issueCallers, raw, startApi, until } from './fixtures/api-world.ts';

let callers: Callers;
let world: ApiWorld;
let revoked: Set<string>;
let listeners: Set<() => void>;

const known = {
  has: (serial: string) => revoked.has(serial),
  onChange(listener: () => void) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

function revoke({ certificatePem }: Credentials): void {
  revoked.add(new X509Certificate(certificatePem).serialNumber);
  for (const listener of listeners) listener();
}

beforeAll(async () => {
  callers = await issueCallers();
});
beforeEach(async () => {
  [revoked, listeners] = [new Set(), new Set()];
  world = await startApi(callers, { revoked: known });
});
afterEach(() => world.close());

const clientAs = (tls: Credentials, options: { readonly revoked?: typeof known } = {}) =>
  createAgentClient({
    ...{ cluster: 'psf', node: 'pg0', hostName: 'pg0.psf.io', address: '127.0.0.1', port: world.port },
    ...{ tls, ...options },
  });

/** It has brought something already; `ended`: it was cut off. */
async function openStream(app: ReturnType<typeof clientAs>): Promise<{ readonly ended: Promise<void> }> {
  let heard = 0;
  const stream = app.followTopology(() => {
    heard += 1;
  }, new AbortController().signal);
  const ended = expect(stream).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  await until(() => heard > 0, 'the first message');
  return { ended };
}

it('are refused on the connection that stands, and on any other, and nobody else is', async () => {
  const viewer = clientAs(callers.viewer);
  await viewer.status();
  revoke(callers.viewer);
  await expect(viewer.status()).rejects.toMatchObject({
    code: 'CERTIFICATE_REFUSED',
    message: expect.stringContaining('has been revoked'),
  });
  viewer.close();
  expect(await raw({ port: world.port, as: callers.viewer, path: '/v1/health' })).toMatchObject({ status: 403 });
  expect(await raw({ port: world.port, as: callers.operator, path: '/v1/health' })).toMatchObject({ status: 200 });
});

it('have their streams ended', async () => {
  const app = clientAs(callers.app);
  const { ended } = await openStream(app);
  revoke(callers.app);
  await ended;
  app.close();
});

it('are no agent any more to whoever knows of it, also in the middle of a stream', async () => {
  const app = clientAs(callers.app, { revoked: known });
  const { ended } = await openStream(app);
  revoke(callers.server);
  await ended;
  await expect(app.health()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
  app.close();
});
