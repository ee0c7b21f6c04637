import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRenewalLate, renewalDueMs, renewalRetryMs } from './certificate-renewal.ts';

const life = { issuedAtMs: 1_000_000, endsAtMs: 1_120_000 };
const draw = fc.double({ min: 0, max: 1, noNaN: true });

describe('a certificate', () => {
  it('is renewed after two thirds of its life, or a little earlier, and is not late then', () => {
    expect(renewalDueMs(life, null, 0)).toBe(1_080_000);
    expect(renewalDueMs(life, null, 1)).toBe(1_072_000);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 1e11 }), draw, (issuedAtMs, lifeMs, chance) => {
        const any = { issuedAtMs, endsAtMs: issuedAtMs + lifeMs };
        const due = renewalDueMs(any, null, chance);
        expect(due).toBeGreaterThanOrEqual(issuedAtMs + 0.59 * lifeMs);
        expect(isRenewalLate(any, due)).toBe(false);
        expect(isRenewalLate(any, any.endsAtMs)).toBe(true);
      }),
    );
  });

  it('that lives longer than is declared is renewed as if it did not, and a shorter one by its own life', () => {
    expect(renewalDueMs(life, 60_000, 0)).toBe(1_040_000);
    expect(renewalDueMs(life, 1e12, 0)).toBe(1_080_000);
    expect(renewalDueMs({ issuedAtMs: 5, endsAtMs: 4 }, null, 0)).toBe(5);
  });

  it('is tried again soon while little is left, and once an hour at least', () => {
    expect(renewalRetryMs(life, 1_080_000, 0.5)).toBe(5_000);
    expect(renewalRetryMs(life, 1_200_000, 0.5)).toBe(1_000);
    expect(renewalRetryMs({ issuedAtMs: 0, endsAtMs: 1e12 }, 0, 1)).toBe(75 * 60_000);
  });
});
