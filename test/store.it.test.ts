/** The store contract against a real etcd, and what only a real one can show. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEtcdStore } from '../src/etcd/store.ts';
import type { Store } from '../src/ports/store.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { storeContract } from './contracts/store.ts';
import { watched } from './contracts/watched.ts';
import { type EtcdFixture, etcdUser, startEtcd } from './fixtures/etcd.ts';
import { createEtcdAuthority } from './fixtures/etcd-certificates.ts';

const call = { withinMs: 5_000 };
const clock = createLinuxClock();

storeContract('etcd', async () => {
  const etcd = await startEtcd(1);
  return {
    open: (prefix) => etcd.open(prefix),
    compact: (revision) => etcd.asRoot('/v3/kv/compaction', { revision: String(revision) }),
    stop: () => etcd.stop(),
  };
});

describe('one etcd member', () => {
  let etcd: EtcdFixture;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);

  const using = async <T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> => {
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };

  it('lets a user at the prefix and at nothing else', async () => {
    await using(etcd.open('/elsewhere/'), async (store) => {
      await expect(store.readAll(call)).rejects.toMatchObject({ code: 'STORE_DENIED' });
      await expect(store.transact([], [{ key: 'a', value: '1' }], call)).rejects.toMatchObject({
        code: 'STORE_DENIED',
      });
    });
  });

  it('refuses a wrong password', async () => {
    const { endpoints, tls } = etcd;
    const user = { ...etcdUser, password: 'wrong' };
    await using(createEtcdStore({ endpoints, tls, prefix: '/understudy/', user, clock }), async (store) => {
      await expect(store.readAll(call)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    });
  });

  it('names a certificate that it does not trust', async () => {
    const stranger = await createEtcdAuthority(etcd.directory, 'stranger');
    const tls = { ...etcd.tls, ca: readFileSync(stranger.ca, 'utf8') };
    const { endpoints } = etcd;
    await using(createEtcdStore({ endpoints, tls, prefix: '/understudy/', user: etcdUser, clock }), async (store) => {
      const error = await store.readAll(call).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'STORE_CERTIFICATE' });
      expect(String(error)).toContain(endpoints[0]);
    });
  });

  it('goes on after the members users have changed, and enrols again without harm', async () => {
    await using(etcd.open('/understudy/users/'), async (store) => {
      await store.readAll(call);
      const watch = watched(store, 1);
      await etcd.enrol([etcdUser, { name: 'pg7', password: 'another' }]);
      const written = await store.transact([], [{ key: 'a', value: '1' }], call);
      expect(written.committed).toBe(true);
      await watch.until(() => watch.revisions().includes(written.revision));
      watch.end();
    });
  });

  it('goes on after a restart of the member, which has forgotten every token', async () => {
    await using(etcd.open('/understudy/restart/'), async (store) => {
      const before = await store.transact([], [{ key: 'a', value: '1' }], call);
      const watch = watched(store, before.revision);
      await watch.until(() => watch.calls.length === 1);
      await etcd.kill(0);
      await expect(store.readAll({ withinMs: 300 })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await etcd.start(0);
      const after = await store.transact([{ key: 'a', revision: before.revision }], [{ key: 'a', value: '2' }], call);
      expect(after.committed).toBe(true);
      await watch.until(() => watch.calls.length === 2);
      expect(watch.revisions()).toEqual([before.revision, after.revision]);
      watch.end();
    });
  }, 30_000);
});

describe('three etcd members', () => {
  let etcd: EtcdFixture;
  beforeAll(async () => {
    etcd = await startEtcd(3);
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'counts on, and watches, without the leader after %s',
    async (signal) => {
      const store = etcd.open(`/understudy/${signal}/`);
      const leader = await etcd.leader();
      // The watch begins at the very member that will be lost.
      const at = etcd.endpoints[leader] ?? '';
      const watcher = etcd.open(`/understudy/${signal}/`, [at, ...etcd.endpoints.filter((other) => other !== at)]);
      try {
        let revision = (await store.transact([], [{ key: 'counter', value: '0' }], call)).revision;
        const watch = watched(watcher, revision);
        await watch.until(() => watch.calls.length === 1);
        if (signal === 'SIGKILL') await etcd.kill(leader);
        else etcd.signal(leader, signal);
        for (let value = 1; value <= 10; value += 1) {
          const result = await counted(watcher, revision, String(value));
          revision = result;
        }
        await watch.until(() => watch.calls.length === 11);
        const values = watch.calls.flatMap(({ changes }) =>
          changes.map((c) => (c.kind === 'put' ? c.entry.value : '-')),
        );
        expect(values).toEqual(Array.from({ length: 11 }, (_, i) => String(i)));
        watch.end();
      } finally {
        await store.close();
        await watcher.close();
        if (signal === 'SIGSTOP') etcd.signal(leader, 'SIGCONT');
        else await etcd.start(leader);
      }
    },
    60_000,
  );
});

/** Writes the next number, finding out what became of a write of which nobody could tell. */
async function counted(store: Store, revision: number, value: string): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      const result = await store.transact([{ key: 'counter', revision }], [{ key: 'counter', value }], {
        withinMs: 2_000,
      });
      if (result.committed) return result.revision;
      const found = result.found.get('counter');
      if (found?.value === value) return found.revision;
      throw new Error(`somebody else wrote ${found?.value}`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'STORE_UNREACHABLE')) throw error;
    }
  }
  throw new Error('the store did not come back');
}
