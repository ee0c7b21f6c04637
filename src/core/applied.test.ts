import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, type Drift, driftText, isRevertible } from './applied.ts';

const value = fc.constantFrom(null, 'a', 'b', 'c');
const situation = fc.record({
  declared: value,
  actual: value,
  applied: fc.option(fc.record({ declared: value, actual: value })),
  isDefault: fc.boolean(),
});

describe('compare', () => {
  it('says of each combination what its rule says', () => {
    const last = (declared: string | null, actual = declared) => ({ declared, actual });
    const cases: readonly [Parameters<typeof compare>[0], string][] = [
      [{ declared: 'a', actual: 'a', applied: null }, 'settled'],
      [{ declared: 'a', actual: 'b', applied: null }, 'apply'],
      [{ declared: 'a', actual: 'b', applied: null, isDefault: true }, 'drifted'],
      [{ declared: 'a', actual: 'b', applied: last('a') }, 'drifted'],
      [{ declared: 'b', actual: 'a', applied: last('a') }, 'apply'],
      [{ declared: 'b', actual: 'c', applied: last('a') }, 'apply'],
      [{ declared: 'b', actual: 'b', applied: last('a') }, 'settled'],
      // The server writes it in its own words.
      [{ declared: 'a', actual: 'A', applied: last('a', 'A') }, 'settled'],
      [{ declared: 'a', actual: 'B', applied: last('a', 'A') }, 'drifted'],
    ];
    for (const [compared, verdict] of cases) expect(compare(compared), JSON.stringify(compared)).toBe(verdict);
  });

  it('overwrites nothing that changed since it was applied while the declaration did not', () => {
    fc.assert(
      fc.property(situation, ({ declared, actual, applied, isDefault }) => {
        const verdict = compare({ declared, actual, applied, isDefault });
        if (applied !== null && applied.declared === declared && applied.actual !== actual && declared !== actual)
          expect(verdict).toBe('drifted');
      }),
    );
  });

  it('comes to rest once what it says is done and recorded', () => {
    fc.assert(
      fc.property(situation, ({ declared, actual, applied, isDefault }) => {
        if (compare({ declared, actual, applied, isDefault }) !== 'apply') return;
        const after = { declared, actual: declared, applied: { declared, actual: declared }, isDefault };
        expect(compare(after)).toBe('settled');
      }),
    );
  });
});

it('says how to keep what was changed, and how to undo it', () => {
  const drift = { name: 'connection limit of shop', kind: 'changed', actual: '5', declared: '10' } as const;
  expect(driftText(drift)).toBe(
    'connection limit of shop changed by hand: 5, declared 10; keep it: declare it; revert: apply --revert',
  );
});

it('promises to undo exactly what can be undone', () => {
  for (const kind of ['changed', 'given', 'kept', 'fixed'] satisfies Drift['kind'][]) {
    const drift: Drift = { name: 'x', kind, actual: 'a', declared: 'd' };
    expect(isRevertible(drift)).toBe(driftText(drift).includes('apply --revert'));
  }
});
