import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, leastLag, nearestFirst, type Router, roundRobin, weighted } from './router.ts';

const candidate = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  name,
  role: 'replica',
  datacenter: null,
  isNear: true,
  lagMs: 0,
  lagBytes: 0,
  ...more,
});
const lag = fc.option(fc.nat(), { nil: null });
const anyCandidate: fc.Arbitrary<Candidate> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'constructor', '__proto__', 'toString'),
  role: fc.constantFrom('primary', 'replica'),
  datacenter: fc.constant(null),
  isNear: fc.boolean(),
  lagMs: lag,
  lagBytes: lag,
});
const some = fc.uniqueArray(anyCandidate, { selector: ({ name }) => name });
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const weights = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'primary'), fc.constantFrom(0, 0.1, 0.2, 0.3, 1, 7));

function times(router: Router, candidates: readonly Candidate[], n: number): (string | undefined)[] {
  return Array.from({ length: n }, () => router.choose(candidates, () => 0)?.name);
}

describe('a router', () => {
  it('answers one of the candidates, or none', () => {
    fc.assert(
      fc.property(some, draws, weights, (candidates, draw, by) => {
        for (const router of [roundRobin(), roundRobin({ primary: true }), weighted(by), leastLag()]) {
          for (const each of [router, nearestFirst(router)]) {
            const chosen = each.choose(candidates, () => draw);
            if (chosen !== undefined) expect(candidates).toContain(chosen);
          }
        }
      }),
    );
  });

  it('leaves nobody unserved while there is a replica', () => {
    fc.assert(
      fc.property(some, draws, (candidates, draw) => {
        const hasReplica = candidates.some(({ role }) => role === 'replica');
        for (const router of [roundRobin(), leastLag(), weighted({})]) {
          expect(nearestFirst(router).choose(candidates, () => draw) !== undefined).toBe(hasReplica);
        }
      }),
    );
  });
});

describe('by weight', () => {
  it('nobody of weight 0 is chosen, and somebody is where there is any weight', () => {
    fc.assert(
      fc.property(some, draws, weights, (candidates, draw, by) => {
        const said = new Map(Object.entries(by));
        const weightOf = ({ name, role }: Candidate): number =>
          role === 'primary' ? (said.get('primary') ?? said.get(name) ?? 0) : (said.get(name) ?? 1);
        const chosen = weighted(by).choose(candidates, () => draw);
        if (chosen === undefined) expect(candidates.every((each) => weightOf(each) === 0)).toBe(true);
        else expect(weightOf(chosen)).toBeGreaterThan(0);
      }),
    );
  });

  it('each has its share', () => {
    const router = weighted({ primary: 1, a: 2 });
    const candidates = [candidate('p', { role: 'primary' }), candidate('a'), candidate('b')];
    const chosen = [0, 0.24, 0.26, 0.74, 0.76, 0.99].map((draw) => router.choose(candidates, () => draw)?.name);
    expect(chosen).toEqual(['p', 'p', 'a', 'a', 'b', 'b']);
  });

  it('what is no weight is refused', () => {
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => weighted({ a: weight })).toThrow(RangeError);
    }
  });
});

it('in turn, the primary only where it is to take its turn', () => {
  const candidates = [candidate('p', { role: 'primary' }), candidate('a'), candidate('b')];
  expect(times(roundRobin(), candidates, 4).sort()).toEqual(['a', 'a', 'b', 'b']);
  expect(new Set(times(roundRobin({ primary: true }), candidates, 3))).toEqual(new Set(['p', 'a', 'b']));
});

it('by least lag, one of unknown lag comes last', () => {
  const [behind, unknown] = [candidate('behind', { lagBytes: 9 }), candidate('unknown', { lagBytes: null })];
  expect(leastLag().choose([unknown, behind, candidate('here')], () => 0)?.name).toBe('here');
  expect(leastLag().choose([unknown, behind], () => 0)?.name).toBe('behind');
  expect(leastLag().choose([unknown], () => 0)?.name).toBe('unknown');
});

it('nearest first, and the others when none of those is near', () => {
  const [near, far] = [candidate('near'), candidate('far', { isNear: false })];
  expect(new Set(times(nearestFirst(roundRobin()), [far, near], 4))).toEqual(new Set(['near']));
  expect(times(nearestFirst(roundRobin()), [far], 1)).toEqual(['far']);
  expect(nearestFirst(weighted({ near: 0 })).choose([far, near], () => 0)?.name).toBe('far');
});
