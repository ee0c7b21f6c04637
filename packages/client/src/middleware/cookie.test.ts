import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError } from '../errors.ts';
import { SessionCookie, type SessionCookieOptions } from './cookie.ts';

const old = 'the secret of last year';
const secret = 'the secret of this year';
const token = 'u1.4.0-16B3748.';
const unknown = (): null => null;
const wrote = { token: async () => token, known: unknown };

async function written(options: Partial<SessionCookieOptions> = {}, wallMs = (): number => 1_000_000): Promise<string> {
  const header = await new SessionCookie({ secrets: [secret], ...options }, wallMs).changed(wrote, null);
  if (header === null) throw new Error('no cookie');
  return header;
}

function pairOf(header: string): string {
  return header.split(';')[0] ?? '';
}

function read(header: string, options: Partial<SessionCookieOptions> = {}, wallMs = (): number => 1_000_000) {
  return new SessionCookie({ secrets: [secret], ...options }, wallMs).read(header);
}

describe('a cookie', () => {
  it('is for this site alone, out of reach of scripts, and not for long', async () => {
    expect((await written()).split('; ').slice(1)).toEqual([
      'Path=/',
      'Max-Age=300',
      'HttpOnly',
      'SameSite=Lax',
      'Secure',
    ]);
    expect(await written({ secure: false, name: 'shop', maxAgeS: 60 })).toMatch(
      /^shop=[\w.-]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/,
    );
  });

  it('brings the token back, among others', async () => {
    expect(read(`a=1; ${pairOf(await written())}; b="2"`)).toBe(token);
  });

  it.each([
    ['of another scope', { scope: 'shop' }, { scope: 'wiki' }],
    ['of another secret', { secrets: ['not one of this place'] }, {}],
    ['of another name', { name: 'shop' }, {}],
  ])('%s is none', async (_, making, reading) => {
    expect(read(pairOf(await written(making)), reading)).toBeNull();
    expect(read(pairOf(await written(making)), making)).toBe(token);
  });

  it('over its time is none, also with a later end written over it', async () => {
    const pair = pairOf(await written({ maxAgeS: 10 }));
    expect(read(pair, {}, () => 1_009_000)).toBe(token);
    expect(read(pair, {}, () => 1_010_000)).toBeNull();
    const longer = pair.replace('1010', '9010');
    expect(longer).not.toBe(pair);
    expect(read(longer)).toBeNull();
  });

  it('outlives a change of secrets while the old one is still told', async () => {
    const pair = pairOf(await written({ secrets: [old] }));
    expect(read(pair, { secrets: [secret, old] })).toBe(token);
    expect(read(pair, { secrets: [secret] })).toBeNull();
    expect(read(pairOf(await written({ secrets: [secret, old] })), { secrets: [secret] })).toBe(token);
  });

  it('is passed over for a good one of the same name', async () => {
    expect(read(`understudy=forged; ${pairOf(await written())}`)).toBe(token);
  });

  it('of strangers is none, whatever it says, and raises nothing', async () => {
    const good = pairOf(await written());
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 2 }))
      .map(([at, by]) => good.slice(0, at) + by + good.slice(at + 1));
    fc.assert(
      fc.property(
        fc.oneof(
          changed,
          fc.string().map((text) => `understudy=${text}`),
          fc.string(),
        ),
        (header) => {
          expect([null, token]).toContain(read(header));
          if (read(header) === token) expect(header).toContain(good.slice('understudy='.length));
        },
      ),
    );
    expect(read('')).toBeNull();
    expect(new SessionCookie({ secrets: [secret] }).read(undefined)).toBeNull();
  });
});

describe('a response', () => {
  const cookies = new SessionCookie({ secrets: [secret], withinMs: 1 });

  it('has none when the session saw no more than what came in', async () => {
    expect(await cookies.changed(wrote, token)).toBeNull();
    expect(await cookies.changed({ token: async () => 'u1.0..', known: unknown }, null)).toBeNull();
    expect(await cookies.changed(wrote, 'u1.3.0-16B3748.')).toContain(`${token}.`);
  });

  it('has none when the token does not come, and fails in no way', async () => {
    expect(await cookies.changed({ token: () => new Promise(() => undefined), known: unknown }, null)).toBeNull();
    expect(await cookies.changed({ token: () => Promise.reject(new Error('away')), known: unknown }, null)).toBeNull();
  });

  it('does not wait for a token that is known', () => {
    const asked = () => Promise.reject(new Error('was asked'));
    expect(cookies.changed({ token: asked, known: () => token }, null)).toContain(`${token}.`);
    expect(cookies.changed({ token: asked, known: () => token }, token)).toBeNull();
  });
});

it.each([
  ['secrets', { secrets: ['short'] }],
  ['secrets', { secrets: [] }],
  ['name', { secrets: [secret], name: 'a b' }],
  ['maxAgeS', { secrets: [secret], maxAgeS: 0 }],
  ['withinMs', { secrets: [secret], withinMs: -1 }],
])('names %s when it is wrong, before any request', (option, options) => {
  expect(() => new SessionCookie(options)).toThrow(OptionError);
  expect(() => new SessionCookie(options)).toThrow(option);
});
