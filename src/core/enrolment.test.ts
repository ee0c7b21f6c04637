import { describe, expect, it } from 'vitest';
import { specOf } from '../../test/fixtures/spec.ts';
import { type EnrolmentToken, isAwaited, refusalOfToken } from './enrolment.ts';

const spec = specOf(['db1', 'db2', 'web1']);
const token: EnrolmentToken = {
  ...{ node: 'web1', role: 'app', digest: 'a'.repeat(64), orderedBy: 'kim' },
  ...{ orderedAt: '2026-11-20T12:00:00.000Z', expiresAt: '2026-11-20T13:00:00.000Z', usedAt: null },
};
const now = '2026-11-20T12:30:00.000Z';

describe('a token', () => {
  it('is good for its node, in its role, until its time is over, once', () => {
    expect(refusalOfToken(token, true, spec, now)).toBeNull();
    expect(refusalOfToken(token, true, spec, token.expiresAt)).toContain('expired at 2026-11-20T13:00');
    expect(refusalOfToken({ ...token, usedAt: now }, true, spec, now)).toContain('was used at 2026-11-20T12:30');
    expect(refusalOfToken(token, true, specOf(['db1', 'db2']), now)).toContain('declared no more');
    expect(refusalOfToken({ ...token, role: 'witness' }, true, spec, now)).toContain('web1 is declared as app');
  });

  it('tells whoever has another one nothing of what became of it', () => {
    const told = [token, { ...token, usedAt: now }, { ...token, role: 'database' as const }, null].map((one) =>
      refusalOfToken(one, false, spec, now),
    );
    expect(new Set(told).size).toBe(1);
    expect(told[0]).toContain('not the token that was ordered last');
  });

  it('is awaited until it was used, or is over', () => {
    expect(isAwaited(token, now)).toBe(true);
    expect(isAwaited(token, token.expiresAt)).toBe(false);
    expect(isAwaited({ ...token, usedAt: '2026-11-20T12:10:00.000Z' }, now)).toBe(false);
  });
});
