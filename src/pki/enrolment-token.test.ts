import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSecretOf, newSecret, readToken, secretDigest, type TokenContent, tokenText } from './enrolment-token.ts';

const content: TokenContent = {
  ...{ cluster: 'psf', domain: 'psf.io', node: 'web1', role: 'app' },
  ...{ roots: ['A'.repeat(43)], addresses: ['10.0.1.1:7434', '[2001:db8::1]:7434'], secret: newSecret() },
};

describe('a token', () => {
  it('says what was put into it, with blanks around it or without', () => {
    expect(readToken(tokenText(content))).toEqual(content);
    expect(readToken(`  ${tokenText(content)}\n`)).toEqual(content);
  });

  it('is refused when a single character is missing or another one', () => {
    const text = tokenText(content);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('', 'x', 'Y', '-'), (at, other) => {
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        fc.pre(changed !== text);
        expect(() => readToken(changed)).toThrow(expect.objectContaining({ code: 'TOKEN_REFUSED' }));
      }),
    );
  });

  it('is never quoted in a refusal', () => {
    const text = tokenText(content);
    for (const wrong of [text.slice(0, -1), `${text}.x`, content.secret, 'x'.repeat(10_000), '']) {
      let told = '';
      try {
        readToken(wrong);
      } catch (error) {
        told = String(error);
      }
      expect(told).toContain('the token:');
      expect(told).not.toContain(content.secret);
      expect(told).not.toContain(text.slice(30, 60));
    }
  });

  it('has a digest that is of its cluster and its node', () => {
    const { cluster, node, secret } = content;
    const digests = [
      secretDigest(cluster, node, secret),
      secretDigest('other', node, secret),
      secretDigest(cluster, 'web2', secret),
      secretDigest(cluster, node, newSecret()),
    ];
    expect(new Set(digests).size).toBe(4);
    expect(digests.map((one) => isSecretOf(cluster, node, secret, one))).toEqual([true, false, false, false]);
    expect(isSecretOf(cluster, node, secret, null)).toBe(false);
  });
});
