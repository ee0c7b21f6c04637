import { describe, expect, it } from 'vitest';
import type { AuthorityPartStatus } from '../core/authority.ts';
import { endingParts, endingText } from './authority-ending.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const dayMs = 24 * 60 * 60_000;

function part(daysLeft: number): AuthorityPartStatus {
  const endsAt = new Date(nowMs + daysLeft * dayMs).toISOString();
  return { part: 'issuing', subject: 'CN=psf issuing authority', fingerprint256: 'AB', endsAt };
}

describe('the end of an authority', () => {
  it('is told when less than sixty days are left, and after it', () => {
    const [far, near, past] = [part(61), part(59.5), part(-2)];
    expect(endingParts([far, near, past], nowMs)).toEqual([near, past]);
    expect(endingText(near, nowMs)).toBe('the issuing authority ends in 59 days, at 2027-01-20');
    expect(endingText({ ...part(1), part: 'root' }, nowMs)).toBe(
      'the root of the authority ends in 1 day, at 2026-11-22',
    );
    expect(endingText(past, nowMs)).toBe('the issuing authority ended at 2026-11-19');
  });
});
