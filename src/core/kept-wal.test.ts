import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planPruning } from './kept-wal.ts';

const dayMs = 86_400_000;
const limits = { maxBytes: 100, keepMs: 30 * dayMs };
const kept = (id: string, bytes: number, days: number) => ({ id, bytes, ageMs: days * dayMs });

describe('what is kept of WAL that diverged', () => {
  it.each<[string, ReturnType<typeof kept>[], number, string[], number]>([
    ['nothing is removed while there is room', [kept('a', 40, 1), kept('b', 40, 20)], 20, [], 20],
    ['the oldest goes first', [kept('a', 40, 1), kept('b', 40, 20)], 30, ['b limit'], 60],
    ['the young go last, and loudly', [kept('a', 60, 1), kept('b', 40, 20)], 90, ['b limit', 'a limit young'], 100],
    ['what is old enough goes in any case', [kept('a', 1, 31)], 0, ['a old'], 100],
    ['what is gone already is not removed again', [kept('a', 0, 31)], 0, [], 100],
    ['nothing makes room for what never fits', [kept('a', 60, 1)], 101, [], 40],
  ])('%s', (_, all, incoming, removed, room) => {
    const plan = planPruning(all, limits, incoming);
    expect(plan.remove.map(({ id, because, isYoung }) => `${id} ${because}${isYoung ? ' young' : ''}`)).toEqual(
      removed,
    );
    expect(plan.roomBytes).toBe(room);
  });

  it('keeps within the limit whatever was there, and removes nothing that need not go', () => {
    const one = fc.record({ bytes: fc.nat(80), days: fc.nat(60) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.nat(150), (all, incoming) => {
        const before = all.map(({ bytes, days }, index) => kept(`${index}`, bytes, days));
        const { remove, roomBytes } = planPruning(before, limits, incoming);
        const gone = new Set(remove.map(({ id }) => id));
        const left = before.filter(({ id }) => !gone.has(id));
        const sum = (entries: readonly { readonly bytes: number }[]) =>
          entries.reduce((all, { bytes }) => all + bytes, 0);
        expect(roomBytes).toBe(Math.max(0, limits.maxBytes - sum(left)));
        if (incoming <= limits.maxBytes) expect(roomBytes).toBeGreaterThanOrEqual(incoming);
        const last = remove.filter(({ because }) => because === 'limit').at(-1);
        if (last !== undefined) expect(sum(left) + last.bytes + incoming).toBeGreaterThan(limits.maxBytes);
      }),
    );
  });
});
