/** The order of reads against an oracle that compares every pair. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Append, CommitLevel } from './attempt.ts';
import { checkLists, isBeginning } from './lists.ts';

interface Read {
  readonly items: readonly number[];
  readonly beganMs: number;
  readonly endedMs: number;
  readonly commit: CommitLevel;
}

const writers = Array.from({ length: 6 }, (_, id) => append(id, { items: [], beganMs: 0, endedMs: 1, commit: 'on' }));

function append(id: number, { beganMs, commit, endedMs, items }: Read): Append {
  const common = { id, writer: 0, source: 0, commit, beganMs, endedMs, workload: 'append', key: 0 } as const;
  return { ...common, outcome: 'ok', reads: items.length === 0 ? [] : [{ key: 0, items }] };
}

const final = [0, 1, 2, 3, 4, 5];
const reads: fc.Arbitrary<readonly Read[]> = fc.array(
  fc
    .record({
      items: fc.oneof(
        fc.integer({ min: 1, max: 6 }).map((length) => final.slice(0, length)),
        fc.shuffledSubarray(final, { minLength: 1 }),
      ),
      beganMs: fc.integer({ min: 0, max: 30 }),
      lastedMs: fc.integer({ min: 0, max: 10 }),
      commit: fc.constantFrom<CommitLevel[]>('local', 'on'),
    })
    .map(({ lastedMs, ...read }) => ({ ...read, endedMs: read.beganMs + lastedMs })),
  { maxLength: 8 },
);

describe('reads of a list', () => {
  it('are held against the list at rest and against every read that ended before', () => {
    fc.assert(
      fc.property(reads, (seen) => {
        const attempts = [...writers, ...seen.map((read, index) => append(6 + index, read))];
        const forks = checkLists(attempts, new Map([[0, final]])).filter(({ kind }) => kind === 'fork');
        const fits = (read: Read): boolean => isBeginning(read.items, final);
        const wrong = seen.filter(
          (read) =>
            !fits(read) ||
            seen.some(
              (before) => fits(before) && before.endedMs < read.beganMs && before.items.length > read.items.length,
            ),
        );
        expect(forks).toHaveLength(wrong.length);
      }),
      { numRuns: 3_000 },
    );
  });

  it('of a replicated commit are not blamed for what only a local one saw', () => {
    const local = append(6, { items: [0, 1, 2], beganMs: 0, endedMs: 1, commit: 'local' });
    const replicated = append(7, { items: [0, 1], beganMs: 2, endedMs: 3, commit: 'on' });
    const [fork] = checkLists([...writers, local, replicated], new Map([[0, final]]));
    expect(fork).toMatchObject({ kind: 'fork', commit: 'local', earlier: [0, 1, 2], later: [0, 1] });
  });

  it('prove nothing in a transaction of unknown outcome', () => {
    const read = append(6, { items: [5, 4], beganMs: 0, endedMs: 1, commit: 'on' });
    const unknown: Append = { ...read, outcome: 'unknown', because: 'no answer' };
    expect(checkLists([...writers, unknown], new Map([[0, final]]))).toEqual([]);
  });

  it('are held against the longest when the list at rest is not known', () => {
    const one = append(6, { items: [0, 1], beganMs: 0, endedMs: 1, commit: 'on' });
    const other = append(7, { items: [0, 2, 1], beganMs: 0, endedMs: 1, commit: 'on' });
    expect(checkLists([...writers, one, other], null)).toMatchObject([
      { kind: 'fork', earlier: [0, 1], later: [0, 2, 1] },
    ]);
  });

  it('of a refused append are a phantom, save by that transaction itself', () => {
    const refused: Append = {
      ...append(6, { items: [0, 6], beganMs: 0, endedMs: 1, commit: 'on' }),
      outcome: 'failed',
      because: '40001',
    };
    expect(checkLists([...writers, refused], new Map([[0, final]]))).toEqual([]);
    const reader = append(7, { items: [0, 6], beganMs: 2, endedMs: 3, commit: 'on' });
    expect(checkLists([...writers, refused, reader], null)).toMatchObject([
      { kind: 'phantom', id: 6, because: '40001' },
    ]);
  });

  it('of an item that was sent to another list are told', () => {
    expect(
      checkLists(
        writers,
        new Map([
          [0, [0, 1]],
          [1, [2]],
        ]),
      ),
    ).toMatchObject([{ kind: 'invented', id: 2 }]);
  });
});
