/** A node that the declaration allows, and that the holder has not named yet, can't be elected; all who can be are asked. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSpec, spec3, storedSpec } from '../../../test/fixtures/spec.ts';
import { acts } from '../../../test/fixtures/verdict.ts';
import { clusterView, held, memoryRenewed, nowMs, primary, released, stored } from '../../../test/fixtures/view.ts';
import { decide } from '../decide.ts';
import { type DatabaseMemory, emptyMemory, learn } from '../memory.ts';
import { assess } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { candidatesToName, electable, mustPromise } from './candidates.ts';

const allowing = (...allowed: readonly NodeName[]) =>
  storedSpec(
    spec3({
      nodes: ['db1', 'db2', 'db3', 'web1'].map((name) =>
        nodeSpec(name, { failover: allowed.includes(name) ? 'allowed' : 'never' }),
      ),
    }),
  );
const renewal = (candidates?: readonly NodeName[]) => stored({ term: 5, counter: 9, candidates }, 41);
const unanswered = (nodes: readonly NodeName[]) => (before: DatabaseMemory) => learn(before, { kind: 'named', nodes });
const silent = (before: DatabaseMemory) => learn(before, { kind: 'act-failed', act: 'renew-lease', atMs: nowMs });

function asked(spec: readonly NodeName[], recorded: readonly NodeName[] | undefined, before: DatabaseMemory) {
  const store = { spec: allowing(...spec), renewal: renewal(recorded) };
  const { actions } = decide(clusterView({ postgres: primary(), store }), silent(before));
  return actions.flatMap((action) => (action.do === 'ask-promises' ? action.of : []));
}

describe('whose promise the holder needs', () => {
  it.each<[string, readonly NodeName[], readonly NodeName[] | undefined, DatabaseMemory, readonly NodeName[]]>([
    ['who is recorded, not who is declared', ['db1', 'db2', 'db3'], ['db1', 'db2'], memoryRenewed(10), ['db2']],
    [
      'who is recorded still, though declared no more',
      ['db1', 'db2'],
      ['db2', 'db3'],
      memoryRenewed(10),
      ['db2', 'db3'],
    ],
    ['of an older version whoever is declared', ['db1', 'db3'], undefined, memoryRenewed(10), ['db3']],
    ['whom an unanswered renewal named', ['db2'], ['db2'], unanswered(['db3'])(memoryRenewed(10)), ['db2', 'db3']],
    ['everybody, for what an earlier process may have sent', [], [], emptyMemory(nowMs - 100), ['db2', 'db3']],
    ['nobody, where nobody may stand', ['db1'], ['db1'], memoryRenewed(10), []],
  ])('%s', (_, spec, recorded, before, expected) => {
    expect(asked(spec, recorded, before)).toEqual(expected);
  });

  it('is no longer asked of those whom only a renewal before the acknowledged one had named', () => {
    const before = unanswered(['db3'])(memoryRenewed(10));
    const sent = { term: 5, sentAtMs: nowMs, ttlMs: 6_000 };
    expect(asked(['db2'], ['db2'], learn(before, { kind: 'renewed', renewal: sent }))).toEqual(['db2']);
  });

  it('covers whoever may be elected, whatever was declared, sent, answered or landed unheard', () => {
    const names = fc.subarray(['db1', 'db2', 'db3']);
    const step = fc.record({ declared: names, fate: fc.constantFrom('answered', 'landed', 'lost', 'late') });
    fc.assert(
      fc.property(names, fc.array(step, { maxLength: 12 }), (first, steps) => {
        let inStore: readonly NodeName[] = first;
        let seen: readonly NodeName[] = first;
        let revision = 0;
        let memory = memoryRenewed(10);
        const late: { readonly revision: number; readonly named: readonly NodeName[] }[] = [];
        for (const { declared, fate } of steps) {
          const store = { spec: allowing(...declared), renewal: renewal(seen) };
          const named = candidatesToName(assess(clusterView({ store }), memory)) ?? [];
          if (fate === 'answered') {
            [inStore, seen] = [named, named];
            revision += 1;
            memory = learn(memory, { kind: 'renewed', renewal: { term: 5, sentAtMs: nowMs, ttlMs: 6_000 } });
          } else {
            memory = learn(memory, { kind: 'named', nodes: named });
            if (fate === 'landed') [inStore, revision] = [named, revision + 1];
            if (fate === 'late') late.push({ revision, named });
          }
          const mayStand = new Set([
            ...inStore,
            ...late.filter((l) => l.revision === revision).flatMap((l) => l.named),
          ]);
          const asksFor = mustPromise(assess(clusterView({ store: { ...store, renewal: renewal(seen) } }), memory));
          for (const node of mayStand) if (node !== 'db1') expect(asksFor).toContain(node);
        }
      }),
    );
  });
});

describe('who may be elected', () => {
  it('is who the holder named; without a name, or after a release, whoever is declared', () => {
    expect(electable(held('db1').value, { term: 5, counter: 9, candidates: ['db2'] })).toEqual(['db2']);
    expect(electable(held('db1').value, { term: 5, counter: 9 })).toBeNull();
    expect(electable(released('db1', null).value, { term: 5, counter: 9, candidates: ['db2'] })).toBeNull();
  });

  it('is written with the next renewal', () => {
    const store = { spec: allowing('db1', 'db3'), renewal: renewal(['db1', 'db2']) };
    expect(acts(decide(clusterView({ store }), memoryRenewed(1_100)))).toMatchObject([
      { do: 'renew-lease', candidates: ['db1', 'db3'] },
    ]);
  });
});
