import { describe, expect, it } from 'vitest';
import { specOf } from '../../test/fixtures/spec.ts';
import { checkIdentities } from './shut-out.ts';

const spec = specOf(['db1', 'db2', 'web1']);
const found = (self: string, ...out: readonly string[]) =>
  checkIdentities({ self, spec, shutOut: new Set(out), primary: 'db1' }).map(({ verdict, text, hint }) => [
    verdict,
    text,
    hint,
  ]);

describe('nodes whose certificate was revoked', () => {
  it('are told by the primary, and by themselves, with what brings them back', () => {
    expect(found('db1')).toEqual([['ok', 'no certificate of a declared node is revoked', null]]);
    const [db2, web1] = found('db1', 'db2', 'web1');
    expect(db2?.slice(0, 2)).toEqual(['failure', 'the certificate of db2 was revoked']);
    expect(db2?.[2]).toMatch(/^understudy node token db2, .* psf-db2 in the store$/);
    expect(web1?.[2]).toMatch(
      /^understudy node token web1, on that machine understudy enrol, and a restart of its agent$/,
    );
    expect(found('db2', 'db2', 'web1')).toEqual([db2]);
    expect(found('db2', 'web1')[0]?.[0]).toBe('ok');
  });

  it('are moved away from first, where one is the primary', () => {
    expect(found('db1', 'db1')[0]?.[2]).toMatch(/^understudy switchover first; then understudy node token db1,/);
  });
});
