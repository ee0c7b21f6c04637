import { describe, expect, it } from 'vitest';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { checkStoreLatency, judgeLatency } from './store-latency.ts';

describe("the store's latency", () => {
  it('is well when its worst answer takes less than half the time between two renewals', () => {
    const finding = judgeLatency([1, 2, 3], [4, 5, 500], 6_000);
    expect(finding.verdict).toBe('ok');
    expect(finding.text).toBe(
      'reads 2 ms, at worst 3 ms, writes 5 ms, at worst 500 ms (3 each); the lease is renewed every 1000 ms',
    );
  });

  it('warns when the lease is too short for it, and says how long it must be', () => {
    const finding = judgeLatency([1], [501], 6_000);
    expect(finding.verdict).toBe('warning');
    expect(finding.hint).toContain('at least 7 s');
  });

  it('is measured by twenty writes and reads of a key that nobody else has, which is removed', async () => {
    const seen: (readonly [readonly StoreCondition[], readonly StoreWrite[]])[] = [];
    let now = 0;
    const finding = await checkStoreLatency({
      node: 'db1',
      ttlMs: 6_000,
      clock: { boottimeMs: () => now },
      store: {
        transact: async (conditions, writes) => {
          now += 7;
          seen.push([conditions, writes]);
          return { committed: true, revision: now };
        },
      },
    });
    expect(finding.text).toContain('reads 7 ms, at worst 7 ms, writes 7 ms, at worst 7 ms (20 each)');
    expect(seen).toHaveLength(41);
    expect(seen.at(-1)).toEqual([[], [{ key: 'doctor/db1', remove: true }]]);
    expect(new Set(seen.flatMap(([, writes]) => writes.map(({ key }) => key)))).toEqual(new Set(['doctor/db1']));
  });

  it('fails when the store does not answer', async () => {
    const finding = await checkStoreLatency({
      node: 'db1',
      ttlMs: 6_000,
      clock: { boottimeMs: () => 0 },
      store: { transact: () => Promise.reject(new Error('no answer')) },
    });
    expect(finding).toMatchObject({ verdict: 'failure', text: 'the store did not answer: no answer' });
  });
});
