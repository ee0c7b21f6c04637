/** Whatever the holder wrote of its lease and never heard of again must find changed what it compares. */
import { describe, expect, it } from 'vitest';
import { held, stored } from '../../test/fixtures/view.ts';
import type { Renewal } from '../core/lease.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { createFakeStore } from '../sim/fakes/store.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { releaseLease, renewLease, takeNextTerm } from './store-lease.ts';

const within = { withinMs: 1_000 };
const context = { self: 'db1' };
const because: readonly string[] = [];
const first: Renewal = { term: 5, counter: 9, candidates: ['db1', 'db2'] };

async function leased() {
  const store = createFakeStore(createLinuxClock()).open('/x/');
  const lease = held('db1');
  const writes = [
    { key: keys.lease, value: encodeRecord('lease', lease.value) },
    { key: keys.renewal, value: encodeRecord('renewal', first) },
  ];
  const { revision } = await store.transact([], writes, within);
  const seen = { lease: { ...lease, revision }, renewal: stored(first, revision), candidates: first.candidates };
  const renew = renewLease({ do: 'renew-lease', ...seen, written: null, boots: {}, because });
  const release = releaseLease(context, { do: 'release-lease', ...seen, to: null, because });
  const timeline = { term: 6, timeline: 1, parent: null, forkLsn: '0/0' };
  const next = takeNextTerm(context, { do: 'take-next-term', ...seen, timeline, because });
  return { store, renew, release, next };
}

describe('behind a renewal', () => {
  it.each(['release', 'next'] as const)('a late %s does not land', async (late) => {
    const { store, renew, ...writes } = await leased();
    expect(await store.transact(renew.conditions, renew.writes, within)).toMatchObject({ committed: true });
    const { conditions, writes: written } = writes[late];
    expect(await store.transact(conditions, written, within)).toMatchObject({ committed: false });
    await store.close();
  });
});

it('a renewal behind the release does not land either', async () => {
  const { store, renew, release } = await leased();
  expect(await store.transact(release.conditions, release.writes, within)).toMatchObject({ committed: true });
  expect(await store.transact(renew.conditions, renew.writes, within)).toMatchObject({ committed: false });
  await store.close();
});
