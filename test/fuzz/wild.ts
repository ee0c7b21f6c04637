/** Values, texts and bytes as nobody would send them who meant well; all of them drawn from one seed. */
import type { Random } from '../../src/sim/world/random.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What has broken programs before: terminals, shells, SQL, paths, prototypes, formats, encodings. */
const tricks: readonly string[] = [
  '',
  ' ',
  '.',
  '..',
  '../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '/etc/understudy',
  'a/b',
  'a\\b',
  'x\u0000y',
  'x\ny',
  '\r\nx-understudy-on-behalf-of: operator/x',
  '\u001b[31mred',
  '\u202egnp.exe',
  '\ud800',
  'ﬁ',
  '𝕊'.repeat(20),
  "'; drop table pages; --",
  '"; drop role postgres; --',
  '$(reboot)',
  '`reboot`',
  '%s%n%x',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '1e309',
  '-0',
  '0x10',
  '9'.repeat(400),
  'x'.repeat(5_000),
  '*',
  '!!js/function',
  '&a *a',
  '{{',
  'replication',
  'postgres',
  'all',
  '127.0.0.1',
  '::1',
  '0.0.0.0/0',
];
const numbers: readonly number[] = [
  0,
  -1,
  1,
  0.5,
  -0,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  1e308,
  5e-324,
  1e21,
  65_536,
  -2_147_483_649,
];

export function wildText(random: Random): string {
  if (random.chance(0.7)) return random.pick(tricks);
  const length = random.integer(0, 40);
  return String.fromCharCode(...Array.from({ length }, () => random.integer(0, random.chance(0.5) ? 0x7f : 0xffff)));
}

export function wildValue(random: Random, depth = 3): Json {
  switch (random.integer(0, depth > 0 ? 6 : 3)) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
      return random.pick(numbers);
    case 2:
      return random.integer(-1_000_000, 1_000_000);
    case 3:
      return wildText(random);
    case 4:
      return Array.from({ length: random.integer(0, 5) }, () => wildValue(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.integer(0, 5) }, () => [wildText(random), wildValue(random, depth - 1)]),
      );
  }
}

/** The same shape, with other values in it; sometimes of the same type, so that more than a schema has to look at it. */
export function disturbed(random: Random, value: Json, probability = 0.15): Json {
  if (random.chance(probability)) return random.chance(0.6) ? sameType(random, value) : wildValue(random);
  if (Array.isArray(value)) {
    const items = value.map((item) => disturbed(random, item, probability));
    if (random.chance(0.05)) return [...items, ...items];
    return random.chance(0.05) ? items.slice(1) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, child]): (readonly [string, Json])[] => {
    if (random.chance(0.03)) return [];
    return [[random.chance(0.03) ? wildText(random) : key, disturbed(random, child, probability)]];
  });
  return Object.fromEntries(random.chance(0.05) ? [...entries, [wildText(random), wildValue(random)]] : entries);
}

function sameType(random: Random, value: Json): Json {
  if (typeof value === 'number') return random.pick(numbers);
  if (typeof value === 'string') return wildText(random);
  if (typeof value === 'boolean') return !value;
  return wildValue(random);
}

/** Cut, doubled, flipped: what a bad line or a bad disk makes of a text. */
export function damaged(random: Random, text: string): string {
  const at = random.integer(0, text.length);
  const to = Math.min(text.length, at + random.integer(1, 20));
  switch (random.integer(0, 5)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(to);
    case 2:
      return text.slice(0, to) + text.slice(at);
    case 3:
      return text.slice(0, at) + wildText(random) + text.slice(to);
    case 4:
      return text.slice(0, at) + String.fromCharCode(random.integer(0, 255)) + text.slice(at + 1);
    default:
      return text.slice(at) + text.slice(0, at);
  }
}

/** Deep, wide or long: what costs whoever reads it most. */
export function huge(random: Random): string {
  const size = random.integer(1_000, 200_000);
  switch (random.integer(0, 4)) {
    case 0:
      return '['.repeat(size);
    case 1:
      return `${'['.repeat(size)}${']'.repeat(size)}`;
    case 2:
      return `${'{"a":'.repeat(size)}1${'}'.repeat(size)}`;
    case 3:
      return JSON.stringify('x'.repeat(size));
    default:
      return `{${Array.from({ length: Math.floor(size / 20) }, (_, index) => `"k${index}":${index}`).join()}}`;
  }
}

/** Null stands for what JSON has no word for. */
export function asJson(value: unknown): Json {
  const json: Json = JSON.parse(JSON.stringify(value) ?? 'null');
  return json;
}
