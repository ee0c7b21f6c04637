import { describe, expect, it } from 'vitest';
import { readAlternativeNames } from './alternative-names.ts';

describe('alternative names', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['DNS:pg0', [{ kind: 'DNS', value: 'pg0' }]],
    [
      'DNS:pg0, IP Address:0:0:0:0:0:0:0:1, URI:understudy://psf/node/pg0',
      [
        { kind: 'DNS', value: 'pg0' },
        { kind: 'IP Address', value: '0:0:0:0:0:0:0:1' },
        { kind: 'URI', value: 'understudy://psf/node/pg0' },
      ],
    ],
    [
      'URI:"x\\u002c URI:understudy://psf/node/pg0", DNS:y',
      [
        { kind: 'URI', value: 'x, URI:understudy://psf/node/pg0' },
        { kind: 'DNS', value: 'y' },
      ],
    ],
    ['DNS:"a\\"\\u002c DNS:b"', [{ kind: 'DNS', value: 'a", DNS:b' }]],
  ])('of %j', (text, names) => {
    expect(readAlternativeNames(text)).toEqual(names);
  });

  it.each(['DNS', 'DNS:a,DNS:b', 'DNS:a, ', ', DNS:a', 'DNS:"a', 'DNS:"a"b', 'DNS:a"b', 'DNS:"\\x"', 'DNS:a\\b', ':a'])(
    'are unreadable in %j',
    (text) => {
      expect(readAlternativeNames(text)).toBeNull();
    },
  );
});
