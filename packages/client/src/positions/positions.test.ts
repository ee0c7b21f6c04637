/** LSNs, positions, tokens and the history of lag. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LagHistory } from './lag-history.ts';
import { bytesBetween, formatLsn, type Lsn, parseLsn } from './lsn.ts';
import { hasReached, laterOf, type Position, parseSelf } from './position.ts';
import { formatToken, parseToken, signToken, verifyToken } from './token.ts';

function lsn(value: bigint): Lsn {
  const parsed = parseLsn(`${(value >> 32n).toString(16)}/${(value & 0xffffffffn).toString(16)}`);
  if (parsed === null) throw new Error(`${value} is no LSN`);
  return parsed;
}
const at = (timeline: number, value: number): Position => ({ timeline, lsn: lsn(BigInt(value)) });
const lsns = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(lsn);
const positions = fc.record({ timeline: fc.integer({ min: 1, max: 2 ** 31 - 1 }), lsn: lsns });

describe('an LSN', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(lsns, (one) => {
        expect(parseLsn(formatLsn(one))).toBe(one);
      }),
    );
    expect(formatLsn(lsn(0x16b374d848n))).toBe('16/B374D848');
  });

  it('is nothing else', () => {
    for (const text of ['', '1', '1/', '/1', '1/G', '123456789/0', ' 1/1', '1/1\n', null, 5, {}]) {
      expect(parseLsn(text)).toBeNull();
    }
  });

  it('is a number of bytes from another, never below none', () => {
    expect(bytesBetween(lsn(10n), lsn(14n))).toBe(4);
    expect(bytesBetween(lsn(14n), lsn(10n))).toBe(0);
  });
});

describe('a position', () => {
  it('shows nothing of another timeline', () => {
    fc.assert(
      fc.property(positions, positions, (a, b) => {
        expect(hasReached(a, b)).toBe(a.timeline === b.timeline && a.lsn >= b.lsn);
      }),
    );
  });

  it('is later than none, and of the higher timeline', () => {
    expect(laterOf(null, null)).toBeNull();
    expect(laterOf(at(1, 9), null)).toEqual(at(1, 9));
    expect(laterOf(null, at(1, 9))).toEqual(at(1, 9));
    expect(laterOf(at(1, 9), at(2, 5))).toEqual(at(2, 5));
    expect(laterOf(at(1, 9), at(1, 5))).toEqual(at(1, 9));
  });

  it('is read from what a server says, whole or not at all', () => {
    expect(parseSelf({ standby: true, lsn: '0/9', timeline: 2 })).toEqual({ role: 'replica', position: at(2, 9) });
    expect(parseSelf({ standby: false, lsn: null, timeline: 2 })).toEqual({ role: 'primary', position: null });
    for (const row of [undefined, null, 5, {}, { standby: 'f' }]) expect(parseSelf(row)).toBeNull();
  });
});

describe('a token', () => {
  const tokens = fc.record({
    position: fc.option(positions, { nil: null }),
    pinnedUntilMs: fc.option(fc.nat(), { nil: null }),
    isOpenEnded: fc.boolean(),
  });
  const secrets = ['a secret that is long enough', 'the one before, long enough as well'];

  it('is read as it was written', () => {
    fc.assert(
      fc.property(tokens, (token) => {
        expect(parseToken(formatToken(token))).toEqual(token);
      }),
    );
  });

  it('is read however long its pin is to last', () => {
    const text = formatToken({ position: null, pinnedUntilMs: 1e21, isOpenEnded: false });
    expect(parseToken(text)?.pinnedUntilMs).toBe(999_999_999_999_999);
  });

  it('is good with any of the secrets and of its scope, and not otherwise', () => {
    fc.assert(
      fc.property(tokens, fc.string(), (token, noise) => {
        const text = formatToken(token);
        const signed = signToken(text, { secrets: secrets.slice(1), scope: 'shop' });
        expect(verifyToken(signed, { secrets, scope: 'shop' })).toBe(text);
        expect(verifyToken(signed, { secrets, scope: 'blog' })).toBeNull();
        expect(verifyToken(signed, { secrets: secrets.slice(0, 1), scope: 'shop' })).toBeNull();
        expect(verifyToken(`${text}.${noise}`, { secrets })).toBeNull();
        expect(verifyToken(noise, { secrets })).toBeNull();
      }),
    );
  });

  it('needs secrets that are long enough', () => {
    expect(() => signToken('u1.0..', { secrets: [] })).toThrow('secrets');
    expect(() => verifyToken(null, { secrets: ['short'] })).toThrow('secrets');
  });
});

describe('the history of lag', () => {
  it('is as old as the last moment at which the primary was not further', () => {
    const history = new LagHistory();
    expect([history.lagMs(at(1, 5), 0), history.lagBytes(at(1, 5))]).toEqual([null, null]);
    history.primaryWas(at(1, 10), 100);
    history.primaryWas(at(1, 20), 200);
    history.primaryWas(at(1, 20), 300);
    expect(history.lagMs(at(1, 20), 400)).toBe(0);
    expect(history.lagMs(at(1, 15), 400)).toBe(300);
    expect(history.lagMs(at(1, 5), 400)).toBeNull();
    expect(history.lagBytes(at(1, 15))).toBe(5);
  });

  it('begins anew on another timeline', () => {
    const history = new LagHistory();
    history.primaryWas(at(1, 10), 100);
    history.primaryWas(at(2, 50), 200);
    expect(history.lagMs(at(1, 20), 300)).toBeNull();
  });
});
