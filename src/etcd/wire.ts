/** What etcd's gateway sends: int64 as strings, bytes as base64, and whatever is empty, zero or false left out. */
import { z } from 'zod';
import type { StoreChange, StoreEntry } from '../ports/store.ts';

const int64 = z.union([z.string(), z.number()]).transform((value, context) => {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  context.addIssue('not an integer that can be counted exactly');
  return z.NEVER;
});

const header = z.object({ revision: int64 });
const keyValue = z.object({ key: z.string(), value: z.string().default(''), mod_revision: int64 });
const keyValues = z.array(keyValue).default([]);

export const rangeAnswer = z.object({ header, kvs: keyValues, more: z.boolean().default(false) });

export const transactionAnswer = z.object({
  header,
  succeeded: z.boolean().default(false),
  responses: z.array(z.object({ response_range: z.object({ kvs: keyValues }).optional() })).default([]),
});
export type TransactionAnswer = z.infer<typeof transactionAnswer>;

const event = z.object({ type: z.string().default('PUT'), kv: keyValue });
/** One line of a watch: a result, or an error that ends it. */
export const watchMessage = z.object({
  error: z.object({ message: z.string().default('') }).optional(),
  result: z
    .object({
      created: z.boolean().default(false),
      canceled: z.boolean().default(false),
      compact_revision: int64.default(0),
      cancel_reason: z.string().default(''),
      events: z.array(event).default([]),
    })
    .optional(),
});
export type WatchMessage = z.infer<typeof watchMessage>;

export function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The first key after all that begin with the prefix, which ends with a slash or another byte below 0xff. */
export function prefixEnd(prefix: string): string {
  const bytes = Buffer.from(prefix, 'utf8');
  const last = bytes.at(-1) ?? 0;
  return Buffer.concat([bytes.subarray(0, -1), Buffer.from([last + 1])]).toString('base64');
}

/** The first key after this one; both in base64. */
export function afterKey(key: string): string {
  return Buffer.concat([Buffer.from(key, 'base64'), Buffer.from([0])]).toString('base64');
}

export function toEntry(prefix: string, kv: z.infer<typeof keyValue>): StoreEntry {
  return { key: fromBase64(kv.key).slice(prefix.length), value: fromBase64(kv.value), revision: kv.mod_revision };
}

export function toChange(prefix: string, change: z.infer<typeof event>): StoreChange {
  const entry = toEntry(prefix, change.kv);
  return change.type === 'DELETE'
    ? { kind: 'removed', key: entry.key, revision: entry.revision }
    : { kind: 'put', entry };
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
