import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judgeServers, type ServerBelief } from './eligible.ts';

const figure = fc.option(fc.nat(100), { nil: null });
const belief: fc.Arbitrary<ServerBelief> = fc.record({
  name: fc.string({ minLength: 1 }),
  role: fc.constantFrom('primary', 'replica', 'unknown'),
  isReachable: fc.constantFrom('yes', 'no', 'unknown'),
  benchedUntilMs: figure,
  datacenter: fc.constantFrom(null, 'east', 'west'),
  lagMs: figure,
  lagBytes: figure,
});
const beliefs = fc.uniqueArray(belief, { selector: ({ name }) => name });
const limits = fc.record({ maxLagMs: figure, maxLagBytes: figure });

/** The rule, said once more and differently. */
function mayServe(server: ServerBelief, maxLagMs: number | null, maxLagBytes: number | null, nowMs: number): boolean {
  const rests = server.benchedUntilMs !== null && server.benchedUntilMs > nowMs;
  if (rests || server.isReachable !== 'yes' || server.role === 'unknown') return false;
  if (server.role === 'primary') return true;
  const within = (lag: number | null, most: number | null): boolean => most === null || (lag !== null && lag <= most);
  return within(server.lagMs, maxLagMs) && within(server.lagBytes, maxLagBytes);
}

it('everybody is either a candidate or unfit for a reason, and nobody is by what is not known', () => {
  fc.assert(
    fc.property(beliefs, limits, fc.nat(100), fc.constantFrom(null, 'east'), (servers, bounds, nowMs, own) => {
      const { candidates, unfit } = judgeServers(servers, bounds, own, nowMs);
      const fit = servers.filter((each) => mayServe(each, bounds.maxLagMs, bounds.maxLagBytes, nowMs));
      expect(candidates.map(({ name }) => name)).toEqual(fit.map(({ name }) => name));
      expect(candidates.length + unfit.length).toBe(servers.length);
      for (const { datacenter, isNear } of candidates) expect(isNear).toBe(own === null || datacenter === own);
    }),
  );
});

it('says why not', () => {
  const good = {
    name: 'a',
    isReachable: 'yes',
    benchedUntilMs: null,
    datacenter: null,
    lagMs: 5,
    lagBytes: 5,
  } as const;
  const reason = (more: Partial<ServerBelief>, maxLagMs: number | null = null, maxLagBytes: number | null = null) =>
    judgeServers([{ role: 'replica', ...good, ...more }], { maxLagMs, maxLagBytes }, null, 10).unfit[0]?.because;
  expect(reason({})).toBeUndefined();
  expect(reason({ benchedUntilMs: 11 })).toBe('benched');
  expect(reason({ benchedUntilMs: 10 })).toBeUndefined();
  expect(reason({ isReachable: 'no' })).toBe('unreachable');
  expect(reason({ isReachable: 'unknown' })).toBe('not-seen-yet');
  expect(reason({ role: 'unknown' })).toBe('not-seen-yet');
  expect(reason({ lagMs: null }, 1)).toBe('lag-unknown');
  expect(reason({ lagBytes: null }, null, 1)).toBe('lag-unknown');
  expect(reason({}, 4)).toBe('lags-too-long');
  expect(reason({}, null, 4)).toBe('lags-too-much');
  expect(reason({ role: 'primary', lagMs: null }, 0, 0)).toBeUndefined();
});
