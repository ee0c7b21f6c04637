import { describe, expect, it } from 'vitest';
import { storeContract } from '../../../test/contracts/store.ts';
import { watched } from '../../../test/contracts/watched.ts';
import { createLinuxClock } from '../../timing/linux-clock.ts';
import { createFakeStore } from './store.ts';

storeContract('in memory', async () => {
  const fake = createFakeStore(createLinuxClock());
  return {
    open: (prefix) => fake.open(prefix),
    compact: async (revision) => fake.compact(revision),
    stop: async () => undefined,
  };
});

describe('the faults of the store in memory', () => {
  const call = { withinMs: 5 };

  it('answers nothing while unreachable, and its watches catch up afterwards', async () => {
    const fake = createFakeStore(createLinuxClock());
    const store = fake.open('/x/');
    const watch = watched(store, 1);
    fake.faults.unreachable = true;
    await expect(store.readAll(call)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await expect(store.transact([], [{ key: 'a', value: '1' }], call)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect(fake.revision).toBe(1);
    fake.faults.unreachable = false;
    await store.transact([], [{ key: 'a', value: '2' }], call);
    await watch.until(() => watch.calls.length === 1);
    watch.end();
  });

  it('applies a transaction and loses the answer', async () => {
    const fake = createFakeStore(createLinuxClock());
    const store = fake.open('/x/');
    fake.faults.lostReplies = 1;
    await expect(store.transact([], [{ key: 'a', value: '1' }], call)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect((await store.readAll(call)).entries.get('a')?.value).toBe('1');
  });
});
