/** What is there against what was tried, by an oracle that counts each id by hand. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Insert, Outcome } from './attempt.ts';
import { checkPresence } from './presence.ts';

const mostIds = 12;
const outcomes = fc.array(fc.constantFrom<Outcome[]>('ok', 'failed', 'unknown'), { maxLength: mostIds });
/** More ids than were tried, some of them twice or thrice, in any order. */
const present = fc.array(fc.integer({ min: 0, max: mostIds + 2 }), { maxLength: 2 * mostIds });

function insert(outcome: Outcome, id: number): Insert {
  const common = { workload: 'inserts', id, writer: 0, source: 0, commit: 'on', beganMs: id, endedMs: id + 1 } as const;
  return outcome === 'ok' ? { ...common, outcome } : { ...common, outcome, because: 'by the test' };
}

it('tells exactly what is lost, refused and there, there more than once, or never sent', () => {
  fc.assert(
    fc.property(outcomes, present, (tried, ids) => {
      const { findings, unknownThere } = checkPresence('inserts', tried.map(insert), ids);
      const told = findings.map((finding) => `${finding.kind} ${'id' in finding ? finding.id : ''}`).sort();
      const expected: string[] = [];
      let landed = 0;
      for (let id = 0; id <= mostIds + 2; id += 1) {
        const times = ids.filter((each) => each === id).length;
        const outcome = tried[id];
        if (times === 0 && outcome === 'ok') expected.push(`lost ${id}`);
        if (times > 0 && outcome === 'failed') expected.push(`phantom ${id}`);
        if (times > 0 && outcome === undefined) expected.push(`invented ${id}`);
        if (times > 1) expected.push(`duplicate ${id}`);
        if (times > 0 && outcome === 'unknown') landed += 1;
      }
      expect(told).toEqual(expected.sort());
      expect(unknownThere).toBe(landed);
    }),
    { numRuns: 3_000 },
  );
});
