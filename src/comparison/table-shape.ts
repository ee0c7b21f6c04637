/**
 * What of a table is compared, from what both sides say of it. Pure.
 *
 * Invariant: rows are told apart by a key that both sides have, and compared in the columns that both have. What is left out is
 * named: columns of one side only, and generated ones, which follow from the others.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Column, TableReading } from './table-reading.ts';

/** How the values of a key column are ordered, by the server and here alike. */
export type KeyOrder = 'integer' | 'numeric' | 'bytes';

export interface KeyColumn {
  readonly column: Column;
  readonly order: KeyOrder;
}

export interface TableShape {
  readonly schema: string;
  readonly name: string;
  /** Its rows lie in partitions. Of any other table its own rows are meant, not those of tables that inherit from it. */
  readonly isPartitioned: boolean;
  readonly key: readonly KeyColumn[];
  /** As of now; the key's are among them. */
  readonly columns: readonly Column[];
  readonly onlyThen: readonly string[];
  readonly onlyNow: readonly string[];
  readonly generated: readonly string[];
  /** Compared by their text. */
  readonly retyped: readonly { readonly name: string; readonly past: string; readonly present: string }[];
  /** The greater estimate of both sides. */
  readonly estimatedRows: number | null;
}

export interface ShapeWishes {
  /** Unique together and never null, on both sides. */
  readonly key?: readonly string[];
  /** All if left out; the key is always read. */
  readonly columns?: readonly string[];
}

const integers = new Set(['int2', 'int4', 'int8', 'oid']);
/** Equal values of these have no one text, and no equality that an index could answer. */
const unfit = new Set(['json', 'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'jsonpath']);

/** Throws REFUSED for a table without a key, REQUEST_INVALID for columns that there are not. */
export function shapeOf(past: TableReading, present: TableReading, wishes: ShapeWishes): TableShape {
  const written = `${present.schema}.${present.name}`;
  const before = new Map(past.columns.map((column) => [column.name, column]));
  const after = new Map(present.columns.map((column) => [column.name, column]));
  const common = present.columns.filter(({ name }) => before.has(name));
  const isDerived = ({ name, isGenerated }: Column): boolean => isGenerated || before.get(name)?.isGenerated === true;
  const stored = common.filter((column) => !isDerived(column));
  const key = keyOf(past, present, { wanted: wishes.key, stored, written });
  const wanted = wishes.columns === undefined ? null : new Set([...wishes.columns, ...key]);
  for (const name of wishes.columns ?? []) requireColumn(stored, name, written);
  return {
    schema: present.schema,
    name: present.name,
    isPartitioned: present.kind === 'p',
    key: key.map((name) => keyColumn(requireColumn(stored, name, written), written)),
    columns: wanted === null ? stored : stored.filter(({ name }) => wanted.has(name)),
    onlyThen: past.columns.flatMap(({ name }) => (after.has(name) ? [] : [name])),
    onlyNow: present.columns.flatMap(({ name }) => (before.has(name) ? [] : [name])),
    generated: common.filter(isDerived).map(({ name }) => name),
    retyped: stored.flatMap(({ name, type }) => {
      const earlier = before.get(name)?.type ?? type;
      return earlier === type ? [] : [{ name, past: earlier, present: type }];
    }),
    estimatedRows: greater(past.estimatedRows, present.estimatedRows),
  };
}

interface KeySearch {
  readonly wanted: readonly string[] | undefined;
  readonly stored: readonly Column[];
  readonly written: string;
}

function keyOf(past: TableReading, present: TableReading, { stored, wanted, written }: KeySearch): readonly string[] {
  const names = new Set(stored.map(({ name }) => name));
  const isThere = (key: readonly string[]): boolean => key.length > 0 && key.every((name) => names.has(name));
  if (wanted !== undefined && wanted.length > 0) return wanted;
  const found = [present.primaryKey, past.primaryKey].find(isThere);
  if (found !== undefined) return found;
  const candidates = present.uniqueKeys.filter(isThere).map((key) => key.join(', '));
  throw new UnderstudyError(
    'REFUSED',
    `${written} has no primary key, then and now, by which rows could be told apart`,
    {
      hint:
        candidates.length > 0
          ? `name the columns of a key; unique and never null are: ${candidates.join('; ')}`
          : 'name columns that are unique together and never null, if there are such',
    },
  );
}

function requireColumn(stored: readonly Column[], name: string, written: string): Column {
  const found = stored.find((column) => column.name === name);
  if (found !== undefined) return found;
  throw new UnderstudyError('REQUEST_INVALID', `${written} has no stored column ${name} both then and now`, {
    hint: `columns are ${stored.map((column) => column.name).join(', ')}`,
  });
}

function keyColumn(column: Column, written: string): KeyColumn {
  const { baseType, name } = column;
  if (unfit.has(baseType)) {
    throw new UnderstudyError('REFUSED', `${name} of ${written} is ${column.type}, which makes no key`, {
      hint: 'name other columns',
    });
  }
  return { column, order: integers.has(baseType) ? 'integer' : baseType === 'numeric' ? 'numeric' : 'bytes' };
}

function greater(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
