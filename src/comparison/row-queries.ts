/**
 * The statements by which one side's rows are read. Pure.
 *
 * Both sides get the same texts. Nothing in them depends on an order that a collation gives: keys are ordered as integers, or by the
 * bytes of their text, and rows are dealt to buckets by a hash of the key instead of by ranges. So it matters neither that then and now
 * run under another version of the C library, nor that an index was built under one (documentation 24.2.2.3).
 */
import pg from 'pg';
import type { Cell } from './snapshot.ts';
import type { KeyColumn, TableShape } from './table-shape.ts';

const { escapeIdentifier } = pg;

export interface RowQuery {
  readonly shape: TableShape;
  /** SQL, as somebody wrote it. */
  readonly where: string | null;
  readonly encoding: string;
}

export function tableText({ schema, name, isPartitioned }: TableShape): string {
  return `${isPartitioned ? '' : 'ONLY '}${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
}

/** The same key has one text: numeric's 1.0 and 1.00 are equal, and so is citext in any case. */
function keyText({ column, order }: KeyColumn): string {
  const name = escapeIdentifier(column.name);
  if (order === 'numeric') return `pg_catalog.trim_scale(${name})::text`;
  return column.baseType === 'citext' ? `pg_catalog.lower(${name}::text)` : `${name}::text`;
}

function orderText(key: KeyColumn, { encoding, shape }: RowQuery): string {
  // By its table: alone it would mean the text that is answered under that name.
  if (key.order === 'integer') return `${escapeIdentifier(shape.name)}.${escapeIdentifier(key.column.name)}`;
  // The bytes that are compared here are those of UTF-8.
  return encoding === 'UTF8' ? `${keyText(key)} COLLATE "C"` : `pg_catalog.convert_to(${keyText(key)}, 'UTF8')`;
}

function columnTexts({ columns }: TableShape): string {
  return columns.map(({ name }) => `${escapeIdentifier(name)}::text`).join(', ');
}

function bucketText({ key }: TableShape, buckets: number): string {
  const texts = key.map(keyText).join(', ');
  return `(pg_catalog.hashtextextended(ROW(${texts})::text COLLATE "C", 1) & ${buckets - 1}::int8)`;
}

/** On lines of its own: what ends with a comment must not swallow the rest. */
function conditions({ where }: RowQuery, others: readonly string[]): string {
  const all = [...(where === null ? [] : [`(\n${where}\n)`]), ...others];
  return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
}

/**
 * Number, rows and sum of each bucket that has rows. A row's hash has 64 bits, of its text with the NULLs told apart; that two sums agree
 * though rows differ happens once in 10^19. A sum, since a maximum or an exclusive or of equal rows would hide pairs.
 */
export function sumsQuery(query: RowQuery, buckets: number): string {
  const { shape } = query;
  const rowHash = `pg_catalog.hashtextextended(ROW(${columnTexts(shape)})::text COLLATE "C", 0)`;
  return `SELECT ${bucketText(shape, buckets)}::text, count(*)::text, sum(${rowHash})::text FROM ${tableText(shape)}${conditions(query, [])} GROUP BY ${bucketText(shape, buckets)}`;
}

/** Rows of the buckets whose bit is set, in the order of their keys: first the key's texts, then all columns. */
export function rowsQuery(query: RowQuery, wanted: Buffer, buckets: number): string {
  const { shape } = query;
  const isWanted = `pg_catalog.get_bit('\\x${wanted.toString('hex')}'::bytea, ${bucketText(shape, buckets)}::int) = 1`;
  const order = shape.key.map((key) => orderText(key, query)).join(', ');
  return `SELECT ${rowTexts(shape)} FROM ${tableText(shape)}${conditions(query, [isWanted])} ORDER BY ${order}`;
}

function rowTexts(shape: TableShape): string {
  return `${shape.key.map(keyText).join(', ')}, ${columnTexts(shape)}`;
}

/** The row of one key, whatever the condition says of it. Its values are the key columns' own texts. */
export function oneRowQuery(shape: TableShape): string {
  const isIt = shape.key.map(
    ({ column }, index) => `${escapeIdentifier(column.name)} = $${index + 1}::${column.castType}`,
  );
  return `SELECT ${rowTexts(shape)} FROM ${tableText(shape)} WHERE ${isIt.join(' AND ')}`;
}

/** By code point, which is the order of UTF-8's bytes, and not that of JavaScript's strings beyond U+D7FF. */
export function compareBytes(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  let at = 0;
  while (at < shared && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === shared) return a.length - b.length;
  return weight(a.charCodeAt(at)) - weight(b.charCodeAt(at));
}

/** Halves of a pair stand for what lies above everything else. */
function weight(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** As the servers order them. */
export function compareKeys(key: readonly KeyColumn[], a: readonly Cell[], b: readonly Cell[]): number {
  for (const [index, { order }] of key.entries()) {
    const [left, right] = [a[index] ?? '', b[index] ?? ''];
    const difference = order === 'integer' ? compareIntegers(left, right) : compareBytes(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareIntegers(left: string, right: string): number {
  if (left === right) return 0;
  const difference = BigInt(left) - BigInt(right);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}
