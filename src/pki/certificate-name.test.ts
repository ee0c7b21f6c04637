import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commonNameOf, parseUri, requireHostName, uriOf } from './certificate-name.ts';

describe('the name in a certificate', () => {
  it.each([
    [{ cluster: 'psf', kind: 'node', name: 'pg0.iad1' }, 'understudy://psf/node/pg0.iad1', 'pg0.iad1'],
    [{ cluster: 'psf', kind: 'operator', name: 'ernest' }, 'understudy://psf/operator/ernest', 'operator:ernest'],
    [
      { cluster: 'p s/f', kind: 'operator', name: 'a/b,c@d' },
      'understudy://p%20s%2Ff/operator/a%2Fb%2Cc%40d',
      'operator:a/b,c@d',
    ],
    [{ cluster: 'psf', kind: 'viewer', name: 'vera' }, 'understudy://psf/viewer/vera', 'viewer:vera'],
    [{ cluster: 'psf', kind: 'store', name: 'pg0' }, 'understudy://psf/store/pg0', 'store:pg0'],
    [{ cluster: 'psf', kind: 'viewer', name: 'kim' }, 'understudy://psf/viewer/kim', 'viewer:kim'],
    [{ cluster: 'psf', kind: 'sealer', name: 'pg0' }, 'understudy://psf/sealer/pg0', ''],
  ] as const)('of %j is %s', (holder, uri, commonName) => {
    expect(uriOf(holder)).toBe(uri);
    expect(commonNameOf(holder)).toBe(commonName);
    expect(parseUri(uri)).toEqual(holder);
  });

  it.each([
    'understudy://psf/node/',
    'understudy:///node/pg0',
    'understudy://psf/pooler/pg0',
    'understudy://psf/node/pg0/',
    'understudy://psf/node/pg0/x',
    'understudy://psf/node/pg0?x',
    'understudy://psf/node/pg0#x',
    'understudy://psf/node/%70g0', // a second spelling of pg0
    'understudy://psf/node/pg%',
    'understudy://psf/operator/a%2fb',
    'understudy://psf/operator/%00',
    'understudy://psf/operator/..',
    'understudy://psf/node/operator%3Aernest',
    'Understudy://psf/node/pg0',
    ' understudy://psf/node/pg0',
    'understudy://psf/node/pg0\n',
    'https://psf/node/pg0',
    '',
  ])('is not %j', (uri) => {
    expect(parseUri(uri)).toBeNull();
  });

  it('has one spelling per identity, and one identity per spelling', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (cluster, name) => {
        let uri: string;
        try {
          uri = uriOf({ cluster, kind: 'operator', name });
        } catch {
          return;
        }
        expect(parseUri(uri)).toEqual({ cluster, kind: 'operator', name });
      }),
    );
  });

  it.each(['', ' x', 'x ', '.', '..', 'a\nb', 'a\u0000', '\ud800', 'x'.repeat(56)])(
    'refuses the operator %j',
    (name) => {
      expect(() => uriOf({ cluster: 'psf', kind: 'operator', name })).toThrow(/./);
    },
  );

  it.each(['*.psf.io', 'a b', 'a:b', 'a..b', '', '-a', 'ü', 'a,b', 'x'.repeat(64)])(
    'refuses the host name %j',
    (name) => {
      expect(() => requireHostName('node', name)).toThrow('is no host name');
    },
  );
});
