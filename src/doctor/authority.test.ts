import { describe, expect, it } from 'vitest';
import type { AuthorityPartStatus } from '../core/authority.ts';
import { checkAuthority } from './authority.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');

function part(name: 'root' | 'issuing', daysLeft: number): AuthorityPartStatus {
  const endsAt = new Date(nowMs + daysLeft * 24 * 60 * 60_000).toISOString();
  return { part: name, subject: 'CN=psf', fingerprint256: 'AB', endsAt };
}

describe('the authority', () => {
  it('is well while it lasts, is warned of early, and fails when it is over', () => {
    const findings = checkAuthority([part('root', 900), part('issuing', 40), part('issuing', -1)], nowMs);
    expect(findings.map(({ verdict }) => verdict)).toEqual(['ok', 'warning', 'failure']);
    expect(findings[1]?.hint).toContain('understudy ca renew');
    expect(checkAuthority([part('root', 40)], nowMs)[0]?.hint).toContain('understudy ca rollover');
  });
});
