import { describe, expect, it } from 'vitest';
import { exampleRecords as examples, recordKinds as kinds } from '../../test/fixtures/records.ts';
import { decodeRecord, encodeRecord } from './codecs.ts';
import { eventKey, memberKey, poolerKey, receiptKey } from './keys.ts';
import { specSchema } from './spec-schema.ts';

const { spec } = examples;

/** Every object in it gets a key that nobody knows. */
function fromANewerVersion(value: unknown, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => fromANewerVersion(item, false));
  if (typeof value !== 'object' || value === null) return value;
  // Records with keys of their own (parameters, facts, …) know no unknown key.
  const maps = ['parameters', 'settings', 'datacenters', 'standbyMinimums', 'facts'];
  const known = Object.entries(value).map(([key, item]) => [key, fromANewerVersion(item, maps.includes(key))]);
  return Object.fromEntries(isMap ? known : [...known, ['fromTheFuture', { any: ['thing'] }]]);
}

describe('records', () => {
  it.each(kinds)('of kind %s come back as they were written', (kind) => {
    expect(decodeRecord(kind, encodeRecord(kind, examples[kind]))).toEqual({ ok: true, value: examples[kind] });
  });

  it.each(kinds)('of kind %s are understood when a newer version added something anywhere', (kind) => {
    const text = JSON.stringify(fromANewerVersion(examples[kind], false));
    expect(decodeRecord(kind, text)).toEqual({ ok: true, value: examples[kind] });
  });

  it.each(kinds)('of kind %s are refused, with the place, when any field has another type', (kind) => {
    for (const field of Object.keys(examples[kind])) {
      const decoded = decodeRecord(kind, JSON.stringify({ ...examples[kind], [field]: [{ not: 'this' }] }));
      expect(decoded, field).toMatchObject({ ok: false, because: expect.stringContaining(field) });
    }
  });

  it.each(['', '{', 'null', '[]', '"x"', '{}'])('are refused when the text is %j', (text) => {
    for (const kind of kinds) expect(decodeRecord(kind, text).ok, kind).toBe(false);
  });

  it('of a spec to be applied are strict: what is not known would be lost', () => {
    expect(specSchema.safeParse(spec.spec).success).toBe(true);
    expect(specSchema.safeParse(fromANewerVersion(spec.spec, false)).success).toBe(false);
  });

  it('stand at keys that sort as the numbers do', () => {
    const sequences = [9, 10, 99, 100, 123_456];
    expect(sequences.map(eventKey).sort()).toEqual(sequences.map(eventKey));
    expect([memberKey('db1'), poolerKey('web1'), receiptKey('R-0001')]).toEqual([
      'members/db1',
      'poolers/web1',
      'receipts/R-0001',
    ]);
  });
});
