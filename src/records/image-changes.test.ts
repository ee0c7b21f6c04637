import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreChange, StoreEntry, StoreSnapshot, StoreWrite } from '../ports/store.ts';
import { FakeHistory } from '../sim/fakes/store-history.ts';
import { encodeRecord } from './codecs.ts';
import { applyChanges, applyWrites, imageOf } from './image-changes.ts';
import { eventKey } from './keys.ts';
import { emptyImage, type StoreImage } from './store-image.ts';

const put = (key: string, value: string, revision: number): StoreChange => ({
  kind: 'put',
  entry: { key, value, revision },
});
const removed = (key: string, revision: number): StoreChange => ({ kind: 'removed', key, revision });
const renewal = (counter: number) => encodeRecord('renewal', { term: 1, counter });
const event = (sequence: number) =>
  encodeRecord('event', { sequence, at: '', node: 'db1', name: 'lease.lost', facts: {} });

/** All that the image says, without what it remembers in order to say it. */
function said(image: StoreImage) {
  const { changed: _, removed: __, unreadable, ...rest } = image;
  return { ...rest, unreadable: [...unreadable].sort() };
}

const readable: fc.Arbitrary<StoreWrite> = fc.oneof(
  fc.record({ key: fc.constant('renewal'), value: fc.nat(99).map(renewal) }),
  fc.record({
    key: fc.constant('lease'),
    value: fc.nat(9).map((n) => encodeRecord('lease', { state: 'held', term: n + 1, holder: 'db1', ttlMs: 6_000 })),
  }),
  fc.integer({ min: 1, max: 12 }).map((n) => ({ key: eventKey(n), value: event(n) })),
);
const anyKey = fc.oneof(
  fc.constantFrom('renewal', 'lease', 'members/db1', 'poolers/web1', 'receipts/R-1', 'a/newer/key'),
  fc.integer({ min: 1, max: 12 }).map(eventKey),
);
const write: fc.Arbitrary<StoreWrite> = fc.oneof(
  { weight: 4, arbitrary: readable },
  { weight: 1, arbitrary: fc.record({ key: anyKey, value: fc.constantFrom('{', '{}', 'null') }) },
  { weight: 2, arbitrary: anyKey.map((key) => ({ key, remove: true as const })) },
);
const transactions = fc.array(fc.uniqueArray(write, { selector: ({ key }) => key, maxLength: 4 }), { maxLength: 20 });

describe('the image of the store', () => {
  it('is the same whether it was read at once or followed change by change, from anywhere', () => {
    fc.assert(
      fc.property(transactions, fc.nat(20), (all, beginAt) => {
        const history = new FakeHistory();
        let image = imageOf(history.snapshot(''));
        all.forEach((writes, index) => {
          const before = history.revision;
          const { revision } = history.transact('', [], writes);
          if (index === beginAt) image = imageOf(history.snapshot(''));
          else if (revision > before) image = applyChanges(image, history.from(revision)?.[0]?.changes ?? [], revision);
        });
        expect(said(image)).toEqual(said(imageOf(history.snapshot(''))));
      }),
    );
  });

  it('is the same when our own writes arrive before the watch tells of them, or after, or both', () => {
    fc.assert(
      fc.property(transactions, fc.array(fc.boolean()), (all, ownFirst) => {
        const history = new FakeHistory();
        let image = emptyImage();
        let behind: (readonly [readonly StoreChange[], number])[] = [];
        all.forEach((writes, index) => {
          const before = history.revision;
          const { revision } = history.transact('', [], writes);
          if (revision === before) return;
          behind.push([history.from(revision)?.[0]?.changes ?? [], revision]);
          if (ownFirst[index] === true) image = applyWrites(image, writes, revision);
          else {
            for (const [changes, at] of behind) image = applyChanges(image, changes, at);
            behind = [];
          }
        });
        for (const [changes, at] of behind) image = applyChanges(image, changes, at);
        expect(said(image)).toEqual({ ...said(imageOf(history.snapshot(''))), revision: image.revision });
      }),
    );
  });

  it('shows our own write at once, and no older change undoes it', () => {
    const before = applyChanges(emptyImage(), [put('renewal', renewal(1), 5)], 5);
    const own = applyWrites(before, [{ key: 'renewal', value: renewal(3) }], 9);
    const late = applyChanges(own, [put('renewal', renewal(2), 7), removed('renewal', 8)], 8);
    expect(late.renewal).toEqual({ value: { term: 1, counter: 3 }, revision: 9 });
    expect(late.revision).toBe(9);
  });

  it('does not bring back what was removed', () => {
    const gone = applyWrites(emptyImage(), [{ key: 'lease', remove: true }], 9);
    const value = encodeRecord('lease', { state: 'held', term: 1, holder: 'db1', ttlMs: 6_000 });
    expect(applyChanges(gone, [put('lease', value, 8)], 8).lease).toBeNull();
    expect(applyChanges(gone, [put('lease', value, 10)], 10).lease?.revision).toBe(10);
  });

  it('lists what it cannot read until it can, and takes it for unknown', () => {
    const broken = applyChanges(emptyImage(), [put('renewal', renewal(1), 2), put('renewal', '{"term":"one"}', 3)], 3);
    expect(broken).toMatchObject({ renewal: null, unreadable: ['renewal'] });
    const mended = applyChanges(broken, [put('renewal', renewal(2), 4)], 4);
    expect(mended).toMatchObject({ renewal: { value: { counter: 2 } }, unreadable: [] });
    const dropped = applyChanges(broken, [removed('renewal', 4)], 4);
    expect(dropped).toMatchObject({ renewal: null, unreadable: [] });
  });

  it('keeps what did not change as it is, so that nothing is parsed again', () => {
    const entries = new Map<string, StoreEntry>(
      ['renewal', 'lease'].map((key) => [key, { key, value: renewal(1), revision: 2 }]),
    );
    const snapshot: StoreSnapshot = { revision: 2, entries };
    const image = imageOf(snapshot);
    const next = applyChanges(image, [put(eventKey(1), event(1), 3)], 3);
    expect(next.renewal).toBe(image.renewal);
    expect(next.members).toBe(image.members);
    expect(next.events.map(({ sequence }) => sequence)).toEqual([1]);
  });

  it('does not grow with the events that came and went', () => {
    let image = emptyImage();
    for (let n = 1; n <= 5_000; n += 1) {
      const changes = [put(eventKey(n), event(n), n), ...(n > 10 ? [removed(eventKey(n - 10), n)] : [])];
      image = applyChanges(image, changes, n);
    }
    expect(image.events).toHaveLength(10);
    expect(image.changed.size).toBeLessThan(1_100);
  });
});
