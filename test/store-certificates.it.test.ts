/** Store endpoints whose certificates are not good: named, never trusted, and passed over when another one is good. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEtcdStore } from '../src/etcd/store.ts';
import type { Authority } from '../src/pki/authority.ts';
import { issue } from '../src/pki/issue.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { createAuthority, days, past } from './fixtures/authority.ts';
import { type EtcdFixture, etcdUser, startEtcd } from './fixtures/etcd.ts';

const bad = [
  ['has expired', { addresses: ['127.0.0.1'], ...past() }, /expired/],
  ['names another host', { addresses: ['127.0.0.9'] }, /127\.0\.0\.9/],
] as const;

describe('an endpoint whose certificate', () => {
  let etcd: EtcdFixture;
  let authority: Authority;
  let server: Server | null = null;

  beforeAll(async () => {
    etcd = await startEtcd(1);
    authority = await createAuthority({ cluster: 'test', days: 2 });
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);
  afterEach(() => {
    server?.close();
    server = null;
  });

  async function serve(served: { readonly addresses: readonly string[] }): Promise<string> {
    const request = { kind: 'store-server', cluster: 'test', name: 'm', ...days(1) } as const;
    const { certificatePem, keyPem } = await issue(authority, { ...request, ...served });
    server = createServer({ cert: certificatePem, key: keyPem }, (socket) => socket.destroy());
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `https://127.0.0.1:${address.port}`;
  }

  const open = (endpoints: readonly string[]) => {
    const tls = { ...etcd.tls, ca: `${authority.rootsPem}\n${etcd.tls.ca}` };
    return createEtcdStore({ endpoints, tls, prefix: '/understudy/', user: etcdUser, clock: createLinuxClock() });
  };

  it.each(bad)('%s is named', async (_, served, because) => {
    const endpoint = await serve(served);
    const store = open([endpoint]);
    try {
      const error = await store.readAll({ withinMs: 5_000 }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'STORE_CERTIFICATE', retry: 'operator' });
      expect(String(error)).toContain(endpoint);
      expect(String(error)).toMatch(because);
    } finally {
      await store.close();
    }
  });

  it.each(bad)('%s is passed over for one that is good', async (_, served) => {
    const store = open([await serve(served), ...etcd.endpoints]);
    try {
      await expect(store.readAll({ withinMs: 5_000 })).resolves.toMatchObject({ entries: new Map() });
    } finally {
      await store.close();
    }
  });
});
