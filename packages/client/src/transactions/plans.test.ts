/** What a transaction may ask for, and the texts of the table of outcomes. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '../errors.ts';
import { outcomeTable } from './outcome-table.ts';
import { planOf, type TransactionOptions } from './transaction-options.ts';

const plan = (options: TransactionOptions) => planOf(options, { deadlineMs: 15_000, onReadOnly: 'fail' });
const ofNoType = (json: string): TransactionOptions => JSON.parse(json);

describe('a plan', () => {
  it('is that of the pool where nothing is said', () => {
    expect(plan({})).toEqual({
      durability: null,
      isolation: null,
      isReadOnly: false,
      deadlineMs: 15_000,
      maxAttempts: Number.POSITIVE_INFINITY,
      backoff: { baseMs: 20, capMs: 2_000 },
      key: null,
      asksForId: false,
      onReadOnly: 'fail',
      signal: null,
    });
    expect(plan({ retry: false }).maxAttempts).toBe(1);
  });

  it.each([
    '{"durability":"off"}',
    '{"isolation":"read committed; DROP TABLE x"}',
    '{"onReadOnly":"later"}',
    '{"deadlineMs":"5"}',
    '{"deadlineMs":0}',
    '{"retry":{"maxAttempts":0}}',
    '{"idempotencyKey":""}',
    '{"idempotencyKey":5}',
    '{"idempotencyKey":"a\\u0000b"}',
    '{"idempotencyKey":"half \\ud800"}',
    '{"idempotencyKey":"x","readOnly":true}',
    '{"signal":{}}',
  ])('of %s is refused', (json) => expect(() => plan(ofNoType(json))).toThrow(OptionError));

  it('takes keys of whole characters, and no time that a timer cannot hold', () => {
    expect(plan({ idempotencyKey: 'order 🧾' }).key).toBe('order 🧾');
    expect(plan({ deadlineMs: Number.MAX_SAFE_INTEGER }).deadlineMs).toBe(2 ** 31 - 1);
  });
});

describe('the table of outcomes', () => {
  it('is named as it was said, and nothing else', () => {
    const { find, insert } = outcomeTable('shop.out"comes');
    expect(find).toContain('"shop"."out""comes"');
    expect(insert("it's")).toContain("'it''s'");
    expect(insert('back\\slash')).toContain(" E'back\\\\slash'");
  });

  it.each(['', 'a.', '.a', 'a.b.c', 'a\0b', 'x'.repeat(64)])('is not %j', (name) => {
    expect(() => outcomeTable(name)).toThrow(OptionError);
  });
});
