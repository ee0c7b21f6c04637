import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditPlace, linesOf } from '../../test/fixtures/audit-log.ts';
import { parseLine } from './line.ts';
import { Quota } from './quota.ts';
import { limitedTrail } from './trail.ts';

const limits = { burst: 3, everyMs: 1_000, callers: 4 };

describe('a quota', () => {
  it('lets some through at once, and then one from time to time', () => {
    const quota = new Quota(limits);
    const at = (nowMs: number) => quota.admits('login', 'viewer/vera', nowMs);
    expect([at(0), at(0), at(0), at(0), at(500), at(1_000), at(1_000)]).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      false,
    ]);
    expect(quota.takeCounted(1_000)).toEqual([{ kind: 'login', caller: 'viewer/vera', count: 3 }]);
    expect(quota.takeCounted(1_000)).toEqual([]);
  });

  it('lets nobody through at the cost of another', () => {
    const quota = new Quota(limits);
    for (let time = 0; time < 100; time += 1) quota.admits('login', 'viewer/vera', 0);
    expect(quota.admits('login', 'operator/ernest', 0)).toBe(true);
    expect(quota.admits('request.refused', 'viewer/vera', 0)).toBe(true);
  });

  it('counts all of what it does not let through, and lets no more through than it may, whoever comes', () => {
    const knock = fc.record({ caller: fc.integer({ min: 0, max: 40 }), afterMs: fc.nat(300) });
    fc.assert(
      fc.property(fc.array(knock, { maxLength: 400 }), (knocks) => {
        const quota = new Quota(limits);
        let nowMs = 0;
        let admitted = 0;
        let counted = 0;
        for (const [index, { afterMs, caller }] of knocks.entries()) {
          nowMs += afterMs;
          if (quota.admits('login', `viewer/${caller}`, nowMs)) admitted += 1;
          if (index % 50 === 49) counted += quota.takeCounted(nowMs).reduce((sum, { count }) => sum + count, 0);
        }
        counted += quota.takeCounted(nowMs).reduce((sum, { count }) => sum + count, 0);
        expect(admitted + counted).toBe(knocks.length);
      }),
    );
  });
});

it('what is over it is told in one line, later', async () => {
  const place = auditPlace();
  const log = place.open();
  const trail = limitedTrail(log, place.clock, new AbortController().signal, new Quota(limits));
  for (let time = 0; time < 10_000; time += 1) trail.record('request.refused', { as: 'node/web0' }, {});
  expect(trail.record('order.restart', { as: 'operator/ernest' }, {})).not.toBeNull();
  await new Promise((resolve) => setImmediate(resolve));
  trail.close();
  await log.close();
  const lines = linesOf(place.files()).map(({ text }) => parseLine(text));
  place.remove();
  expect(lines.filter((line) => line?.kind === 'request.refused')).toHaveLength(limits.burst);
  expect(lines.filter((line) => line?.kind === 'order.restart')).toHaveLength(1);
  expect(lines.find((line) => line?.kind === 'counted')).toMatchObject({
    who: { as: 'node/web0' },
    facts: { kind: 'request.refused', count: 10_000 - limits.burst },
  });
});
