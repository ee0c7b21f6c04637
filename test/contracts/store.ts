/**
 * What every driver of ports/store.ts must do, against whatever stands behind it. Each test has a prefix of its own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUnderstudyError } from '../../src/errors/understudy-error.ts';
import type { Store, StoreChange } from '../../src/ports/store.ts';
import { watched } from './watched.ts';

export interface StoreUnderTest {
  /** A client of its own; the prefix ends with a slash. */
  open(prefix: string): Store;
  compact(revision: number): Promise<void>;
  /** Ends everything, also when a test failed. */
  stop(): Promise<void>;
}

const call = { withinMs: 5_000 };

/** Members on a slow disk may elect a new leader in the midst of a transaction; whether it was applied is unknown. */
function ignoreUnknownOutcome(error: unknown): void {
  if (!isUnderstudyError(error, 'STORE_UNREACHABLE')) throw error;
}

export function storeContract(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`the store contract: ${name}`, () => {
    let server: StoreUnderTest;
    const opened: Store[] = [];
    let prefixes = 0;
    const freshPrefix = () => {
      prefixes += 1;
      return `/understudy/contract-${prefixes}/`;
    };
    const open = (prefix = freshPrefix()): Store => {
      const store = server.open(prefix);
      opened.push(store);
      return store;
    };
    const put = async (store: Store, key: string, value: string): Promise<number> => {
      const result = await store.transact([], [{ key, value }], call);
      if (!result.committed) throw new Error('an unconditional write was refused');
      return result.revision;
    };

    beforeAll(async () => {
      server = await start();
    }, 60_000);
    afterAll(async () => {
      for (const store of opened) await store.close();
      await server?.stop();
    }, 60_000);

    it('reads nothing, then what was written, each with the revision of its last change', async () => {
      const store = open();
      const empty = await store.readAll(call);
      expect(empty.entries.size).toBe(0);
      const first = await put(store, 'a', '1');
      const second = await put(store, 'b/c', '2');
      const third = await put(store, 'a', '3');
      expect(empty.revision).toBeLessThan(first);
      const { revision, entries } = await store.readAll(call);
      expect(revision).toBeGreaterThanOrEqual(third);
      expect(Object.fromEntries(entries)).toEqual({
        a: { key: 'a', value: '3', revision: third },
        'b/c': { key: 'b/c', value: '2', revision: second },
      });
    });

    it('writes only when every condition holds, and shows what stands at the compared keys', async () => {
      const store = open();
      const made = await store.transact(
        [
          { key: 'lease', revision: 'absent' },
          { key: 'operation', revision: 'absent' },
        ],
        [
          { key: 'lease', value: 'one' },
          { key: 'renewal', value: '0' },
        ],
        call,
      );
      expect(made.committed).toBe(true);
      const refused = await store.transact(
        [
          { key: 'lease', revision: made.revision },
          { key: 'renewal', revision: made.revision - 1 },
          { key: 'operation', revision: 'absent' },
        ],
        [
          { key: 'lease', value: 'two' },
          { key: 'elsewhere', value: 'x' },
        ],
        call,
      );
      if (refused.committed) throw new Error('committed in spite of a false condition');
      expect(refused.revision).toBeGreaterThanOrEqual(made.revision);
      expect(Object.fromEntries(refused.found)).toEqual({
        lease: { key: 'lease', value: 'one', revision: made.revision },
        renewal: { key: 'renewal', value: '0', revision: made.revision },
      });
      const { entries } = await store.readAll(call);
      expect([...entries.keys()].sort()).toEqual(['lease', 'renewal']);
      const taken = await store.transact([{ key: 'lease', revision: 'absent' }], [{ key: 'lease', value: 'x' }], call);
      expect(taken.committed).toBe(false);
    });

    it('removes, and removing what is not there changes nothing', async () => {
      const store = open();
      const revision = await put(store, 'gone', 'x');
      const removed = await store.transact([{ key: 'gone', revision }], [{ key: 'gone', remove: true }], call);
      expect(removed.committed).toBe(true);
      expect(removed.revision).toBeGreaterThan(revision);
      await expect(store.transact([], [{ key: 'never', remove: true }], call)).resolves.toMatchObject({
        committed: true,
      });
      expect((await store.readAll(call)).entries.size).toBe(0);
    });

    it('keeps prefixes apart', async () => {
      const prefix = freshPrefix();
      const store = open(prefix);
      const neighbours = [open(`${prefix.slice(0, -1)}0/`), open(`${prefix.slice(0, -1)}-x/`), open(`${prefix}inner/`)];
      const watch = watched(store, (await store.readAll(call)).revision + 1);
      for (const neighbour of neighbours.slice(0, 2)) await put(neighbour, 'key', 'theirs');
      const own = await put(store, 'key', 'ours');
      await watch.until(() => watch.revisions().includes(own));
      expect(watch.revisions()).toEqual([own]);
      expect([...(await store.readAll(call)).entries.keys()]).toEqual(['key']);
      watch.end();
    });

    it('watches from an older revision: every change once, in order, each revision whole', async () => {
      const store = open();
      const first = await put(store, 'a', '1');
      const both = await store.transact(
        [],
        [
          { key: 'a', value: '2' },
          { key: 'b', value: '2' },
        ],
        call,
      );
      const watch = watched(store, first);
      await watch.until(() => watch.revisions().length === 2);
      const removed = await store.transact([], [{ key: 'a', remove: true }], call);
      await watch.until(() => watch.revisions().length === 3);
      watch.end();
      await put(store, 'a', 'after the end');
      const changes: readonly (readonly StoreChange[])[] = [
        [{ kind: 'put', entry: { key: 'a', value: '1', revision: first } }],
        [
          { kind: 'put', entry: { key: 'a', value: '2', revision: both.revision } },
          { kind: 'put', entry: { key: 'b', value: '2', revision: both.revision } },
        ],
        [{ kind: 'removed', key: 'a', revision: removed.revision }],
      ];
      expect(watch.calls).toEqual([
        { changes: changes[0], revision: first },
        { changes: changes[1], revision: both.revision },
        { changes: changes[2], revision: removed.revision },
      ]);
    });

    it('says that a watch is lost when its history was compacted', async () => {
      const store = open();
      const first = await put(store, 'a', '1');
      await put(store, 'a', '2');
      const last = await put(store, 'a', '3');
      await server.compact(last);
      const watch = watched(store, first);
      await watch.until(() => watch.lost.length === 1);
      expect(watch.calls).toEqual([]);
      watch.end();
    });

    it('lets a hundred writers count together', async () => {
      const prefix = freshPrefix();
      const clients = Array.from({ length: 5 }, () => open(prefix));
      const [store] = clients;
      if (store === undefined) throw new Error('no client');
      const from = await put(store, 'counter', '0');
      const watch = watched(store, from + 1);
      const increment = async (client: Store): Promise<void> => {
        for (;;) {
          const entry = (await client.readAll(call)).entries.get('counter');
          if (entry === undefined) throw new Error('the counter vanished');
          const value = String(Number(entry.value) + 1);
          const result = await client.transact(
            [{ key: 'counter', revision: entry.revision }],
            [{ key: 'counter', value }],
            call,
          );
          if (result.committed) return;
        }
      };
      await Promise.all(
        clients.map(async (client) => {
          for (let i = 0; i < 20; i += 1) await increment(client);
        }),
      );
      expect((await store.readAll(call)).entries.get('counter')?.value).toBe('100');
      await watch.until(() => watch.calls.length >= 100);
      const seen = watch.calls.flatMap(({ changes }) =>
        changes.map((c) => (c.kind === 'put' ? Number(c.entry.value) : -1)),
      );
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
      watch.end();
    }, 60_000);

    it('keeps any text, also in keys, and 200 KB of it', async () => {
      const store = open();
      const start = (await store.readAll(call)).revision;
      const texts = { plain: '', 'schlüssel/ключ/鍵': 'Grüße "\\\n\u0000\u{1f418}', large: 'é'.repeat(100_000) };
      const watch = watched(store, start + 1);
      for (const [key, value] of Object.entries(texts)) await put(store, key, value);
      const { entries } = await store.readAll(call);
      expect(Object.fromEntries([...entries].map(([key, entry]) => [key, entry.value]))).toEqual(texts);
      await watch.until(() => watch.calls.length === 3);
      const told = watch.calls.flatMap(({ changes }) =>
        changes.flatMap((c) => (c.kind === 'put' ? [[c.entry.key, c.entry.value]] : [])),
      );
      expect(Object.fromEntries(told)).toEqual(texts);
      watch.end();
    });

    it('reads many entries as of one revision while others write', async () => {
      const store = open();
      const pairs = Array.from({ length: 450 }, (_, i) => `k${String(i).padStart(3, '0')}`);
      for (let i = 0; i < pairs.length; i += 50) {
        await store.transact(
          [],
          pairs.slice(i, i + 50).map((key) => ({ key, value: '0' })),
          call,
        );
      }
      // The first and the last key change together, always.
      const ends = [pairs[0] ?? '', pairs.at(-1) ?? ''];
      let reading = true;
      const writing = (async () => {
        for (let n = 1; reading; n += 1) {
          const writes = ends.map((key) => ({ key, value: String(n) }));
          await store.transact([], writes, call).catch(ignoreUnknownOutcome);
        }
      })();
      try {
        for (let i = 0; i < 10; i += 1) {
          const { entries } = await store.readAll(call);
          expect(entries.size).toBe(450);
          expect(new Set(ends.map((key) => entries.get(key)?.value)).size).toBe(1);
        }
      } finally {
        reading = false;
        await writing;
      }
    }, 30_000);

    it('ends a call with its caller', async () => {
      const store = open();
      await expect(store.readAll({ ...call, signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
      });
    });
  });
}
