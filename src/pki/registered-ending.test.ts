import { describe, expect, it } from 'vitest';
import { isEnding, registeredText } from './registered-ending.ts';

const dayMs = 24 * 60 * 60_000;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const at = (days: number) => new Date(nowMs + days * dayMs).toISOString();
const living = (lifeDays: number, leftDays: number) => ({ issuedAt: at(leftDays - lifeDays), expiresAt: at(leftDays) });

describe('a registered certificate', () => {
  it('is told of three weeks before its end, and of a short life when a quarter of it is left', () => {
    expect(isEnding(living(365, 22), nowMs)).toBe(false);
    expect(isEnding(living(365, 20), nowMs)).toBe(true);
    expect(isEnding(living(8, 3), nowMs)).toBe(false);
    expect(isEnding(living(8, 1), nowMs)).toBe(true);
    expect(isEnding(living(365, -5), nowMs)).toBe(true);
  });

  it('is named with its place', () => {
    const one = { name: 'shop', where: 'the balancer, by ops' };
    expect(registeredText({ ...one, expiresAt: at(1.5) }, nowMs)).toBe(
      'the registered certificate shop (the balancer, by ops) ends in 1 day, at 2026-11-23',
    );
    expect(registeredText({ ...one, where: null, expiresAt: at(-1) }, nowMs)).toBe(
      'the registered certificate shop ended at 2026-11-20',
    );
  });
});
