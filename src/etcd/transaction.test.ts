import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { FakeHistory } from '../sim/fakes/store-history.ts';
import { isRepeatable, judgeRepeat } from './transaction.ts';

const prefix = '/x/';
const keys = ['a', 'b', 'c'] as const;

/** What others do around our two copies. Values of others are never ours: every writer's carry a mark of its own. */
interface Story {
  readonly before: readonly StoreWrite[];
  readonly firstArrives: 'before' | 'after' | 'never';
  readonly between: readonly StoreWrite[];
  readonly conditions: readonly { readonly key: string; readonly is: 'standing' | 'absent' | 'wrong' }[];
  readonly writes: readonly StoreWrite[];
}

const key = fc.constantFrom(...keys);
const writesOf = (mark: string): fc.Arbitrary<readonly StoreWrite[]> =>
  fc.uniqueArray(
    fc.oneof(
      fc.record({ key, value: fc.nat(9).map((n) => `${mark}${n}`) }),
      fc.record({ key, remove: fc.constant(true as const) }),
    ),
    { selector: (write) => write.key, maxLength: 3 },
  );
const story: fc.Arbitrary<Story> = fc.record({
  before: writesOf('before'),
  firstArrives: fc.constantFrom<Story['firstArrives'][]>('before', 'after', 'never'),
  between: writesOf('theirs'),
  conditions: fc.uniqueArray(
    fc.record({
      key,
      is: fc.constantFrom<Story['conditions'][number]['is'][]>('standing', 'standing', 'absent', 'wrong'),
    }),
    { selector: (condition) => condition.key, maxLength: 3 },
  ),
  writes: writesOf('ours'),
});

describe('a transaction that is sent twice', () => {
  it('is never said to be what it was not, and never counts twice', () => {
    const verdicts = new Set<string>();
    fc.assert(
      fc.property(story, ({ before, firstArrives, between, conditions: wanted, writes }) => {
        const history = new FakeHistory();
        history.transact(prefix, [], before);
        const standing = history.snapshot(prefix).entries;
        const conditions = wanted.map(({ key: name, is }): StoreCondition => {
          const revision = standing.get(name)?.revision;
          if (is === 'absent' || revision === undefined) return { key: name, revision: 'absent' };
          return { key: name, revision: is === 'standing' ? revision : revision + 100 };
        });
        if (!isRepeatable(conditions, writes) || writes.length === 0) return;
        const applied: number[] = [];
        const send = (): boolean => {
          const result = history.transact(prefix, conditions, writes);
          if (result.committed) applied.push(result.revision);
          return result.committed;
        };
        if (firstArrives === 'before') send();
        history.transact(prefix, [], between);
        if (!send()) {
          const { entries } = history.snapshot(prefix);
          const verdict = judgeRepeat(conditions, writes, entries);
          verdicts.add(verdict.is);
          if (verdict.is === 'ours') expect(applied).toEqual([verdict.revision]);
          if (verdict.is === 'refused') {
            expect(applied).toEqual([]);
            // Nor may the late copy count after we have said so.
            send();
            expect(applied).toEqual([]);
          }
        }
        if (firstArrives === 'after') send();
        expect(applied.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 5_000 },
    );
    expect([...verdicts].sort()).toEqual(['ours', 'refused', 'unknown']);
  });

  it('does not take equal values of several other transactions for its own', () => {
    const entry = (key: string, value: string, revision: number) => [key, { key, value, revision }] as const;
    const found = new Map([entry('a', '1', 7), entry('b', '2', 8)]);
    const writes = [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ];
    expect(judgeRepeat([{ key: 'a', revision: 5 }], writes, found)).toEqual({ is: 'unknown' });
  });

  it.each<[boolean, string, readonly StoreCondition[], readonly StoreWrite[]]>([
    [true, 'names the revision of what it writes', [{ key: 'a', revision: 5 }], [{ key: 'a', value: '1' }]],
    [true, 'writes nothing', [{ key: 'a', revision: 'absent' }], []],
    [false, 'has no condition', [], [{ key: 'a', value: '1' }]],
    [false, 'compares only what it does not write', [{ key: 'a', revision: 5 }], [{ key: 'b', value: '1' }]],
    [false, 'makes a key, which may be removed again', [{ key: 'a', revision: 'absent' }], [{ key: 'a', value: '1' }]],
  ])('may be repeated: %s, when it %s', (repeatable, _, conditions, writes) => {
    expect(isRepeatable(conditions, writes)).toBe(repeatable);
  });
});
