/** A member of the store and revoked certificates of its clients: refused by its list from the next connection on, and nobody else. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEtcdStore } from '../src/etcd/store.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { type EtcdFixture, etcdPrefix, etcdUser, startEtcd } from './fixtures/etcd.ts';

let etcd: EtcdFixture;
beforeAll(async () => {
  etcd = await startEtcd(1);
}, 60_000);
afterAll(() => etcd?.stop(), 60_000);

it("a client's certificate that was revoked is refused, whatever password it brings, and others go on", async () => {
  const stolen = await etcd.client('stolen');
  const { endpoints } = etcd;
  const read = async (tls: EtcdFixture['tls']): Promise<string> => {
    const store = createEtcdStore({ endpoints, tls, prefix: etcdPrefix, user: etcdUser, clock: createLinuxClock() });
    try {
      return await store.readAll({ withinMs: 5_000 }).then(
        () => 'served',
        () => 'refused',
      );
    } finally {
      await store.close();
    }
  };
  expect([await read(stolen), await read(etcd.tls)]).toEqual(['served', 'served']);
  await etcd.revoke('0A', new X509Certificate(stolen.certificate ?? '').serialNumber);
  expect([await read(stolen), await read(etcd.tls)]).toEqual(['refused', 'served']);
  await etcd.revoke();
  expect(await read(stolen)).toBe('served');
});
