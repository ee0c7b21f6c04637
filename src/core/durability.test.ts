import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DurabilityStep,
  demands,
  implies,
  initialServerSet,
  neededBallots,
  nextDurabilityStep,
  nobody,
  type SyncSet,
  sameSet,
} from './durability.ts';

const self = 'db1';
const others = ['db2', 'db3', 'db4', 'db5'];

const setOf = (names: readonly string[]): fc.Arbitrary<SyncSet> =>
  fc
    .subarray([...names])
    .chain((standbys) =>
      standbys.length === 0
        ? fc.constant(nobody)
        : fc.integer({ min: 1, max: standbys.length }).map((k) => ({ standbys, k })),
    );

/** The oracle: every set of standbys, as bits over all names. */
const all = [self, ...others];
const subsets = Array.from({ length: 1 << all.length }, (_, bits) => all.filter((__, n) => (bits >> n) & 1));
const count = (nodes: readonly string[], among: readonly string[]) => nodes.filter((n) => among.includes(n)).length;
/** Who has a commit when the primary acknowledges it: itself, and at least k of the named. */
const acknowledging = (server: SyncSet) =>
  subsets.filter((nodes) => nodes.includes(self) && count(nodes, server.standbys) >= server.k);
/** Who is heard when an election takes place by the rule of R (the last holder's own ballot aside). */
const electing = (record: SyncSet) => {
  const needed = neededBallots(record);
  return needed === null ? [] : subsets.filter((nodes) => count(nodes, record.standbys) >= needed);
};
const meets = (server: SyncSet, record: SyncSet): boolean =>
  acknowledging(server).every((have) =>
    electing(record).every((heard) => heard.some((node) => record.standbys.includes(node) && have.includes(node))),
  );

/** `db1` may still be in S, since its election. */
const records = setOf(all);
const servers = setOf(others);

describe('the sets', () => {
  it('demand exactly what keeps every acknowledging set meeting every electing one', () => {
    fc.assert(
      fc.property(servers, records, (server, record) => {
        expect(demands(self, server, record)).toBe(meets(server, record));
      }),
      { numRuns: 3_000 },
    );
  });

  it('are safe from the first instant of a new primary', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(demands(self, initialServerSet(self, record, []), record)).toBe(true);
        expect(demands(self, initialServerSet(self, record, others), record)).toBe(true);
      }),
    );
  });

  it('make a new primary wait for as many as were declared, also where it was one of them itself', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(initialServerSet(self, record, others).k).toBe(Math.min(record.k, others.length));
      }),
    );
    // Two nodes: whoever took over waits for the one that was primary.
    const two = { standbys: [self], k: 1 };
    expect(initialServerSet(self, two, ['db2'])).toEqual({ standbys: ['db2'], k: 1 });
    expect(initialServerSet(self, nobody, ['db2'])).toEqual(nobody);
  });
});

interface World {
  readonly record: SyncSet;
  readonly server: SyncSet;
  /** Each earlier commit: who is sure to have it is any set that acknowledged under this server set. */
  readonly unflushed: readonly SyncSet[];
}

/** What a step does; `flush` has k of the new set flush everything acknowledged so far. */
function take(world: World, step: Exclude<DurabilityStep, { step: 'none' }>): World {
  if (step.step === 'server') return { ...world, server: step.set, unflushed: [...world.unflushed, step.set] };
  return { ...world, record: step.set, unflushed: step.flush ? [world.server] : world.unflushed };
}

describe('changing the sets', () => {
  it('keeps every acknowledged commit heard by every election, whatever was wanted on the way', () => {
    fc.assert(
      fc.property(
        records,
        fc.array(setOf(others), { minLength: 1, maxLength: 6 }),
        fc.func(fc.nat(5)),
        (first, goals, stop) => {
          const server = initialServerSet(self, first, others);
          let world: World = { record: first, server, unflushed: [server] };
          goals.forEach((wanted, index) => {
            // Interrupted after some steps: another set is wanted from then on.
            for (let n = index === goals.length - 1 ? 10 : stop(index); n > 0; n -= 1) {
              const step = nextDurabilityStep(self, world, wanted);
              if (step.step === 'none') break;
              world = take(world, step);
              for (const acknowledged of world.unflushed) expect(meets(acknowledged, world.record)).toBe(true);
            }
          });
          const last = goals.at(-1) ?? nobody;
          expect(sameSet(world.record, last) && sameSet(world.server, last)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('owes a flush whenever a member leaves or k rises', () => {
    const step = nextDurabilityStep(
      self,
      { record: { standbys: ['db2', 'db3'], k: 1 }, server: { standbys: ['db2', 'db3'], k: 2 } },
      { standbys: ['db2', 'db3'], k: 2 },
    );
    expect(step).toEqual({ step: 'record', set: { standbys: ['db2', 'db3'], k: 2 }, flush: true });
    expect(implies({ standbys: ['db2', 'db3'], k: 1 }, { standbys: ['db2'], k: 1 })).toBe(false);
    expect(implies({ standbys: ['db2'], k: 1 }, { standbys: ['db2', 'db3'], k: 1 })).toBe(true);
  });

  it('says that nobody is waited for before it is so', () => {
    const record = { standbys: [self], k: 1 };
    const step = nextDurabilityStep(self, { record, server: { standbys: ['db2'], k: 1 } }, nobody);
    expect(step).toEqual({ step: 'record', set: nobody, flush: false });
  });

  it('goes from one standby to another by way of both', () => {
    const [one, two] = [
      { standbys: ['db2'], k: 1 },
      { standbys: ['db3'], k: 1 },
    ];
    expect(nextDurabilityStep(self, { record: one, server: one }, two)).toEqual({
      step: 'record',
      set: { standbys: ['db2', 'db3'], k: 1 },
      flush: false,
    });
  });
});
