import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseWayBack, type Divergence, partingOf } from './divergence.ts';
import { formatLsn, lsnFromOffset } from './lsn.ts';
import type { TimelineRecord } from './timelines.ts';

const lsn = (offset: number) => lsnFromOffset(BigInt(offset));
const record = (term: number, timeline: number, parent: number | null, fork: number): [number, TimelineRecord] => [
  term,
  { term, timeline, parent, forkLsn: formatLsn(lsn(fork)) },
];
/** 1 -> 2 -> 4 is the cluster's history; 3 left 1 apart and later, 5 left 2 apart and earlier; term 6 stayed on 4. */
const timelines = new Map([
  record(1, 1, null, 0),
  record(2, 2, 1, 100),
  record(3, 3, 1, 150),
  record(4, 4, 2, 200),
  record(5, 5, 2, 120),
  record(6, 4, 2, 200),
]);
const stretches = (local: number, holders: number) => {
  const parted = partingOf(timelines, local, holders);
  return parted.is === 'forked'
    ? parted.stretches.map(({ timeline, from, to }) => `${timeline}: ${from}-${to ?? ''}`)
    : parted.is;
};

describe('where histories part', () => {
  it.each([
    ['on the holder’s timeline', 4, 4, 'none'],
    ['on its parent', 2, 4, ['2: 200-']],
    ['on the first one', 1, 4, ['1: 100-']],
    ['on a sibling that left later', 3, 4, ['1: 100-150', '3: 150-']],
    ['on a sibling that left earlier', 5, 4, ['5: 120-']],
    ['on a child of the holder’s timeline', 4, 2, ['4: 200-']],
    ['on a grandchild', 4, 1, ['2: 100-200', '4: 200-']],
    ['on a timeline of no term', 7, 4, 'unknown'],
    ['with a holder on a timeline of no term', 4, 7, 'unknown'],
  ])('%s', (_, local, holders, expected) => {
    expect(stretches(local, holders)).toEqual(expected);
  });

  it('is not known where a parent is missing, or where a record names itself', () => {
    expect(partingOf(new Map([record(2, 2, 1, 100)]), 2, 2).is).toBe('unknown');
    expect(partingOf(new Map([record(2, 2, 2, 100)]), 2, 2).is).toBe('unknown');
  });

  it('leaves no gap between stretches, and begins where the holder’s history ends', () => {
    const known = [1, 2, 3, 4, 5];
    fc.assert(
      fc.property(fc.constantFrom(...known), fc.constantFrom(...known), (local, holders) => {
        const parted = partingOf(timelines, local, holders);
        if (parted.is !== 'forked') {
          expect([parted.is, local]).toEqual(['none', holders]);
          return;
        }
        parted.stretches.reduce(
          (before, stretch) => {
            expect(before.to).toBe(stretch.from);
            return stretch;
          },
          { ...parted.at, to: parted.at.from },
        );
        expect(parted.stretches.at(-1)).toMatchObject({ timeline: local, to: null });
      }),
    );
  });
});

describe('the way back', () => {
  const found: Divergence = { diverged: true, notKept: null, walBytes: 1_000, dataBytes: 1_000_000 };

  it.each<[string, Partial<Divergence>, string | null, string]>([
    ['little has diverged', {}, null, 'rewind diverged'],
    ['not all of the WAL is kept', { notKept: 'the limit' }, null, 'clone wal-not-kept'],
    ['more WAL than data', { walBytes: 1_000_000 }, null, 'clone clone-is-smaller'],
    ['a rewind failed', {}, 'no WAL', 'clone rewind-failed'],
  ])('%s', (_, change, rewindFailed, expected) => {
    const { by, code } = chooseWayBack({ ...found, ...change }, rewindFailed);
    expect(`${by} ${code}`).toBe(expected);
  });
});
