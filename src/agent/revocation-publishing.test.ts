import { beforeEach, describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { stored } from '../../test/fixtures/view.ts';
import type { RevocationListRecord, RevocationRecord } from '../core/revocation.ts';
import type { StoreWrite } from '../ports/store.ts';
import { emptyImage, type StoreImage } from '../records/store-image.ts';
import { RevocationPublishing } from './revocation-publishing.ts';

const revocation: RevocationRecord = {
  ...{ serial: '4A', kind: 'node', name: 'app1', expiresAt: '2026-11-27T00:00:00.000Z' },
  ...{ at: '2026-11-21T00:00:00.000Z', by: 'kim' },
};
/** Its own words: authority, and what it lists. */
const list = (authority: string, ...serials: string[]): RevocationListRecord => ({ authority, list: serials.join() });

let image: StoreImage;
let signed: number;
let written: StoreWrite[];
let beside: RevocationListRecord[];

beforeEach(() => {
  [signed, written, beside] = [0, [], []];
  image = {
    ...emptyImage(),
    secrets: new Map([['db1/issuing', stored('sealed')]]),
    lease: stored({ state: 'held', term: 1, holder: 'db1', ttlMs: 6_000 }),
    revocations: new Map([['4A', stored(revocation)]]),
    revocationLists: new Map([
      ['ROOT', stored(list('ROOT'))],
      ['B1', stored(list('B1'))],
    ]),
  };
});

/** Runs until somebody has slept so often. */
async function publish(self: string, sleeps: number, authority = 'B1'): Promise<void> {
  const ended = new AbortController();
  let slept = 0;
  const clock = new HandClock(() => {
    slept += 1;
    if (slept >= sleeps) ended.abort();
  });
  await new RevocationPublishing({
    self,
    mirror: {
      get image() {
        return image;
      },
      transact: async (_, writes) => {
        written.push(...writes);
        for (const write of writes) {
          const serial = write.key.split('/')[1] ?? '';
          const record = list(serial, '4A');
          image = { ...image, revocationLists: new Map([...image.revocationLists, [serial, stored(record)]]) };
        }
        return { committed: true, revision: 9 };
      },
    },
    onChange: () => () => undefined,
    signer: {
      list: async () => {
        signed += 1;
        return list(authority, '4A');
      },
    },
    beside: () => beside,
    read: (record) => ({
      serial: record.authority,
      isRoot: record.authority === 'ROOT',
      revoked: new Set(record.list.split(',')),
    }),
    authorityInUse: () => 'B1',
    ...{ clock, signal: ended.signal, log: { info: () => {}, warn: () => {}, error: () => {} } },
  }).run();
}

describe('a list of revoked certificates', () => {
  it('is signed by the holder at once when one is lacking in it, and then is as it should be', async () => {
    await publish('db1', 3);
    expect([signed, written.map(({ key }) => key)]).toEqual([1, ['revocation-lists/B1']]);
  });

  it('of a root is written by whoever has it, where the store lacks it', async () => {
    beside = [list('ROOT'), list('NEXT')];
    image = { ...image, revision: 0, revocations: new Map(), secrets: new Map() };
    await publish('db2', 2);
    expect(written).toEqual([]);
    image = { ...image, revision: 7 };
    await publish('db2', 3);
    expect([signed, written.map(({ key }) => key)]).toEqual([0, ['revocation-lists/NEXT']]);
  });

  it('is left to the holder first by another, which does it when that does not', async () => {
    image = { ...image, secrets: new Map([['db2/issuing', stored('sealed')]]) };
    await publish('db2', 1);
    expect(signed).toBe(0);
    await publish('db2', 3);
    expect(signed).toBe(1);
  });

  it('is not tried again and again where another authority would have to sign it', async () => {
    await publish('db1', 5, 'C1');
    expect(signed).toBe(1);
  });

  it('is there for the authority in use, though nothing is revoked', async () => {
    image = { ...image, revocations: new Map(), revocationLists: new Map() };
    await publish('db1', 2);
    expect(written.map(({ key }) => key)).toEqual(['revocation-lists/B1']);
  });

  it('is not signed by a node without the key', async () => {
    image = { ...image, secrets: new Map() };
    await publish('db1', 3);
    expect(signed).toBe(0);
  });
});
