import { describe, expect, it } from 'vitest';
import { WireError } from './frames.ts';
import { boundStatement, parseOf, parseWith, startupWith, statusOf } from './messages.ts';

function startup(words: readonly string[]): Buffer {
  return Buffer.from(`\0\x03\0\0${words.map((word) => `${word}\0`).join('')}\0`, 'latin1');
}

describe('start-up', () => {
  it('takes a setting where there are no options', () => {
    const made = startupWith(startup(['user', 'options', 'database', 'shop']), 'a=on').subarray(4);
    expect(made).toEqual(startup(['user', 'options', 'database', 'shop', 'options', '-c a=on']));
  });

  it('takes a setting behind other options, so that it wins', () => {
    const made = startupWith(startup(['user', 'anna', 'options', '-c a=off', 'database', 'shop']), 'a=on').subarray(4);
    expect(made).toEqual(startup(['user', 'anna', 'options', '-c a=off -c a=on', 'database', 'shop']));
  });

  it('says its own length', () => {
    const made = startupWith(startup(['user', 'änna']), 'a=on');
    expect(made.readInt32BE(0)).toBe(made.length);
  });
});

describe('Parse', () => {
  const types = Buffer.from([0, 1, 0, 0, 0, 23]);
  const body = Buffer.concat([Buffer.from('name\0SELECT $1\0'), types]);

  it('is read', () => {
    expect(parseOf(body)).toEqual({ name: 'name', text: 'SELECT $1' });
  });

  it('keeps name and types with another text', () => {
    const made = parseWith(body, 'SELECT 2 * $1');
    expect(parseOf(made.subarray(5))).toEqual({ name: 'name', text: 'SELECT 2 * $1' });
    expect(made.subarray(-types.length)).toEqual(types);
    expect(made.readInt32BE(1)).toBe(made.length - 1);
  });

  it('without an end is no message', () => {
    expect(() => parseOf(Buffer.from('name\0SELECT'))).toThrow(WireError);
  });
});

it('Bind names its statement behind its portal', () => {
  expect(boundStatement(Buffer.from('portal\0statement\0\0\0'))).toBe('statement');
});

it('a server is ready in one of three ways', () => {
  expect(statusOf(Buffer.from('T'))).toBe('T');
  expect(() => statusOf(Buffer.from('X'))).toThrow(WireError);
});
