/** What a caller is told when etcd carried something out and the answer was lost, or when nobody answers at all. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createEtcdStore } from '../src/etcd/store.ts';
import type { Store, StoreCondition, StoreWrite } from '../src/ports/store.ts';
import { createLinuxClock } from '../src/timing/linux-clock.ts';
import { watched } from './contracts/watched.ts';
import { type EtcdFixture, etcdUser, startEtcd } from './fixtures/etcd.ts';
import { type MuteProxy, startMuteProxy } from './fixtures/mute-proxy.ts';

const call = { withinMs: 5_000 };
const clock = createLinuxClock();

describe('a store whose answers are lost', () => {
  let etcd: EtcdFixture;
  let proxy: MuteProxy;
  /** Asks through the proxy first, then past it. */
  let store: Store;
  /** Never through the proxy. */
  let witness: Store;
  let tests = 0;

  beforeAll(async () => {
    etcd = await startEtcd(1);
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);

  beforeEach(async () => {
    tests += 1;
    const prefix = `/understudy/lost-${tests}/`;
    proxy = await startMuteProxy(etcd.endpoints[0] ?? '');
    store = etcd.open(prefix, [proxy.url, ...etcd.endpoints]);
    witness = etcd.open(prefix);
  });
  afterEach(async () => {
    await store.close();
    await witness.close();
    await proxy.close();
  });

  const put = async (key: string, value: string): Promise<number> => {
    const result = await store.transact([], [{ key, value }], call);
    return result.revision;
  };
  const standing = async (key: string) => (await witness.readAll(call)).entries.get(key);

  it('knows its own write again, with its revision', async () => {
    const revision = await put('renewal', '1');
    const watch = watched(witness, revision + 1);
    proxy.mute(true);
    const result = await store.transact([{ key: 'renewal', revision }], [{ key: 'renewal', value: '2' }], call);
    const entry = await standing('renewal');
    expect(entry?.value).toBe('2');
    expect(result).toEqual({ committed: true, revision: entry?.revision });
    // Once: the copy that was sent again changed nothing.
    const last = await store.transact([], [{ key: 'last', value: '' }], call);
    await watch.until(() => watch.revisions().includes(last.revision));
    expect(watch.revisions()).toEqual([result.revision, last.revision]);
    watch.end();
  });

  it('knows several writes again, removals among them', async () => {
    const lease = await put('lease', 'a');
    await put('operation', 'x');
    proxy.mute(true);
    const writes: readonly StoreWrite[] = [
      { key: 'lease', value: 'b' },
      { key: 'renewal', value: '1' },
      { key: 'operation', remove: true },
    ];
    const result = await store.transact([{ key: 'lease', revision: lease }], writes, call);
    expect(result).toEqual({ committed: true, revision: (await standing('renewal'))?.revision });
    expect(await standing('operation')).toBeUndefined();
  });

  it('says that nobody can tell when somebody else wrote in between', async () => {
    const revision = await put('lease', 'a');
    const watch = watched(witness, revision + 1);
    proxy.mute(true);
    const result = store
      .transact([{ key: 'lease', revision }], [{ key: 'lease', value: 'ours' }], call)
      .catch((error: unknown) => error);
    await watch.until(() => watch.calls.length === 1);
    const ours = watch.revisions()[0] ?? 0;
    const theirs = await witness.transact(
      [{ key: 'lease', revision: ours }],
      [{ key: 'lease', value: 'theirs' }],
      call,
    );
    expect(theirs.committed).toBe(true);
    expect(await result).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect((await standing('lease'))?.value).toBe('theirs');
    watch.end();
  });

  it.each<[string, readonly StoreCondition[], readonly StoreWrite[]]>([
    ['without a condition', [], [{ key: 'a', value: '1' }]],
    ['that makes a key', [{ key: 'a', revision: 'absent' }], [{ key: 'a', value: '1' }]],
    [
      'that keeps its condition true',
      [{ key: 'a', revision: 'absent' }],
      [
        { key: 'a', remove: true },
        { key: 'b', value: '1' },
      ],
    ],
  ])('does not send a transaction again %s', async (_, conditions, writes) => {
    const { revision } = await store.readAll(call);
    const watch = watched(witness, revision + 1);
    proxy.mute(true);
    await expect(store.transact(conditions, writes, call)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const last = await witness.transact([], [{ key: 'last', value: '' }], call);
    await watch.until(() => watch.revisions().includes(last.revision));
    expect(watch.calls).toHaveLength(2);
    watch.end();
  });

  it('sends anything again that a refused connection surely never carried', async () => {
    // A port that nobody listens at; a connection that broke while it was used might have carried the request.
    const nobody = await startMuteProxy(etcd.endpoints[0] ?? '');
    await nobody.close();
    const fresh = etcd.open(`/understudy/lost-${tests}/`, [nobody.url, ...etcd.endpoints]);
    try {
      const result = await fresh.transact([], [{ key: 'a', value: '1' }], call);
      expect(await standing('a')).toEqual({ key: 'a', value: '1', revision: result.revision });
    } finally {
      await fresh.close();
    }
  });

  it('goes on watching elsewhere when a stream falls silent', async () => {
    const revision = await put('a', '1');
    const watch = watched(store, revision);
    await watch.until(() => watch.calls.length === 1);
    proxy.mute(true);
    const later = await witness.transact([], [{ key: 'a', value: '2' }], call);
    await watch.until(() => watch.calls.length === 2);
    expect(watch.revisions()).toEqual([revision, later.revision]);
    watch.end();
  });
});

describe('a store that does not answer', () => {
  let etcd: EtcdFixture;
  beforeAll(async () => {
    etcd = await startEtcd(1);
  }, 60_000);
  afterAll(() => etcd?.stop(), 60_000);

  it('ends a call that is under way when it is closed, and every one after', async () => {
    const store = etcd.open('/understudy/closed/');
    await store.readAll(call);
    etcd.signal(0, 'SIGSTOP');
    try {
      // Longer than the test may take: only closing can end it.
      const reading = store.readAll({ withinMs: 600_000 }).catch((error: unknown) => error);
      await store.close();
      expect(await reading).toMatchObject({ code: 'STORE_UNREACHABLE' });
      await expect(store.readAll({ withinMs: 600_000 })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    } finally {
      etcd.signal(0, 'SIGCONT');
    }
  });

  it('ends a call that is under way with its caller', async () => {
    const store = etcd.open('/understudy/cancelled/');
    await store.readAll(call);
    etcd.signal(0, 'SIGSTOP');
    try {
      const caller = new AbortController();
      const reading = store.readAll({ withinMs: 600_000, signal: caller.signal }).catch((error: unknown) => error);
      caller.abort();
      expect(await reading).toMatchObject({ code: 'STORE_UNREACHABLE' });
    } finally {
      etcd.signal(0, 'SIGCONT');
      await store.close();
    }
  });

  it.each([
    ['the prefix is not its own', '/elsewhere/', etcdUser],
    ['the password is wrong', '/understudy/', { ...etcdUser, password: 'wrong' }],
  ])('says that a watch is lost, instead of asking for ever, when %s', async (_, prefix, user) => {
    const { endpoints, tls } = etcd;
    const store = createEtcdStore({ endpoints, tls, prefix, user, clock });
    try {
      const watch = watched(store, 1);
      await watch.until(() => watch.lost.length === 1);
      expect(watch.calls).toEqual([]);
      expect(watch.lost.join()).not.toContain('a password');
      watch.end();
    } finally {
      await store.close();
    }
  });
});
