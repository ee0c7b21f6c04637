import { describe, expect, it } from 'vitest';
import type { Lease } from '../core/lease.ts';
import type { StoreEntry, StoreSnapshot } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { eventKey, keys, timelineKey } from '../records/keys.ts';
import {
  isAsRecovered,
  mayLiveWithout,
  movedBetween,
  type Return,
  readLook,
  tellingOf,
  toldTerm,
} from './going-back.ts';

const held: Lease = { state: 'held', term: 4, holder: 'db1', ttlMs: 9_000 };

function snapshot(lease: Lease | null, more: Readonly<Record<string, string>> = {}, counter = 7): StoreSnapshot {
  const values: Readonly<Record<string, string>> = {
    [keys.cluster]: encodeRecord('cluster', { systemIdentifier: '77', postgresMajor: 15 }),
    ...(lease === null ? {} : { [keys.lease]: encodeRecord('lease', lease) }),
    [keys.renewal]: encodeRecord('renewal', { term: 4, counter }),
    [timelineKey(4)]: encodeRecord('timeline', { term: 4, timeline: 3, parent: 2, forkLsn: '0/5000000' }),
    ...more,
  };
  const entries = Object.entries(values).map(([key, value]): [string, StoreEntry] => [
    key,
    { key, value, revision: key === keys.renewal ? 100 + counter : 10 },
  ]);
  return { revision: 200, entries: new Map(entries) };
}

const wish: Return = {
  ...{ node: 'db2', systemIdentifier: '77', timeline: 5, parent: 2, forkLsn: '0/4000000' },
  ...{ boundTerm: 5, ttlMs: 6_000, target: '2026-11-19T14:00:00Z', at: '2026-11-20T00:00:00Z' },
};

describe('a store that is told of a cluster that goes back', () => {
  it('is told only while nobody has moved anything, in a term above all that is known', () => {
    const telling = tellingOf(readLook(snapshot(held, { [keys.durability]: '{}', [eventKey(41)]: '' })), wish);
    expect(telling.term).toBe(105);
    expect(telling.conditions).toEqual([
      { key: keys.lease, revision: 10 },
      { key: keys.renewal, revision: 107 },
      { key: keys.operation, revision: 'absent' },
      { key: keys.durability, revision: 10 },
      { key: eventKey(42), revision: 'absent' },
    ]);
    expect(telling.writes).toEqual([
      { key: keys.lease, value: encodeRecord('lease', { ...held, holder: 'db2', term: 105 }) },
      { key: keys.renewal, value: encodeRecord('renewal', { term: 105, counter: 1 }) },
      {
        key: timelineKey(105),
        value: encodeRecord('timeline', { term: 105, timeline: 5, parent: 2, forkLsn: '0/4000000' }),
      },
      {
        key: eventKey(42),
        value: encodeRecord('event', {
          ...{ sequence: 42, at: wish.at, node: 'db2', name: 'cluster.taken_back' },
          facts: { node: 'db2', target: wish.target, lsn: '0/4000000', timeline: 5 },
        }),
      },
      { key: keys.durability, remove: true },
    ]);
  });

  it('is above the terms of timelines, too, and works without a lease', () => {
    const later = { [timelineKey(40)]: encodeRecord('timeline', { term: 40, timeline: 4, parent: 3, forkLsn: '0/6' }) };
    const { term, writes } = tellingOf(readLook(snapshot(null, later)), wish);
    expect(term).toBe(140);
    expect(writes[0]).toEqual({
      key: keys.lease,
      value: encodeRecord('lease', { state: 'held', term: 140, holder: 'db2', ttlMs: 6_000 }),
    });
  });

  it('knows again what it was told, and nothing else', () => {
    const told = {
      [timelineKey(105)]: encodeRecord('timeline', { term: 105, timeline: 5, parent: 2, forkLsn: '0/4000000' }),
    };
    const ours = { ...held, holder: 'db2', term: 105 };
    expect(toldTerm(readLook(snapshot(ours, told)), wish)).toBe(105);
    expect(toldTerm(readLook(snapshot(held, told)), wish)).toBeNull();
    expect(toldTerm(readLook(snapshot(ours)), wish)).toBeNull();
    expect(toldTerm(readLook(snapshot(ours, told)), { ...wish, timeline: 6 })).toBeNull();
  });

  it('is told of a directory alone that no agent has brought in line again', () => {
    const look = readLook(snapshot(held));
    expect(isAsRecovered(look, wish)).toBe(true);
    expect(isAsRecovered(look, { ...wish, timeline: 3 })).toBe(false);
    const told = {
      [timelineKey(105)]: encodeRecord('timeline', { term: 105, timeline: 5, parent: 2, forkLsn: '0/4000000' }),
    };
    expect(isAsRecovered(readLook(snapshot({ ...held, holder: 'db2', term: 105 }, told)), wish)).toBe(true);
    expect(isAsRecovered(readLook(snapshot({ ...held, holder: 'db1', term: 106 }, told)), wish)).toBe(false);
  });

  it('lives where the lease or its renewal moves', () => {
    const before = readLook(snapshot(held));
    expect(movedBetween(before, readLook(snapshot(held)))).toBeNull();
    expect(movedBetween(before, readLook(snapshot(held, {}, 8)))).toBe('db1 has moved the lease of term 4');
    expect(movedBetween(before, readLook(snapshot(null)))).toBe('the lease was removed');
  });

  it('may live without the store while nobody asks the node that goes back', () => {
    const named = (...candidates: string[]) => ({
      [keys.renewal]: encodeRecord('renewal', { term: 4, counter: 7, candidates }),
    });
    const look = readLook(snapshot(held, named('db1', 'db2')));
    expect(mayLiveWithout(look, 'db2', ['db3'])).toBeNull();
    expect(mayLiveWithout(look, 'db1', [])).toBeNull();
    expect(mayLiveWithout(look, 'db3', ['db3'])).toEqual({ holder: 'db1', candidates: ['db1', 'db2'] });
    // Its renewal is of an older version: it asks whom the declaration names.
    expect(mayLiveWithout(readLook(snapshot(held)), 'db3', ['db1', 'db3'])).toBeNull();
    expect(mayLiveWithout(readLook(snapshot(held)), 'db3', ['db1'])).toEqual({ holder: 'db1', candidates: ['db1'] });
    const released: Lease = { state: 'released', term: 4, by: 'db1', to: null, ttlMs: 9_000 };
    expect(mayLiveWithout(readLook(snapshot(released, named('db1'))), 'db3', [])).toBeNull();
  });
});
