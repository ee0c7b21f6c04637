/** What one side's catalogue says of a table: how its rows are read, and by what they are told apart. */
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Snapshot } from './snapshot.ts';

const columnSchema = z.object({
  name: z.string(),
  /** As a declaration says it: `character varying(20)`. */
  type: z.string(),
  /** For casts: without a length, which would cut silently. */
  castType: z.string(),
  baseType: z.string(),
  isGenerated: z.boolean(),
  identity: z.enum(['', 'a', 'd']),
  isNotNull: z.boolean(),
  /** Its type has an equality of its own. */
  isComparable: z.boolean(),
});

const tableSchema = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  persistence: z.string(),
  /** As the planner believes; `null`: never looked. */
  estimatedRows: z.number().nullable(),
  columns: z.array(columnSchema),
  primaryKey: z.array(z.string()),
  /** Columns that are unique together and never null. */
  uniqueKeys: z.array(z.array(z.string())),
});

export type Column = z.infer<typeof columnSchema>;
export type TableReading = z.infer<typeof tableSchema>;

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/**
 * Finds the table of this name, written as in SQL: `users`, `shop.users`, `"Odd name"`. Answers `null` when there is none.
 * Throws REQUEST_INVALID for what is no name, or one that several schemas have.
 */
export async function findTable(snapshot: Snapshot, written: string): Promise<TableName | null> {
  const parts = await nameParts(snapshot, written);
  const rows = await snapshot.query(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND ($2::text IS NULL OR n.nspname = $2) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND ($2 IS NOT NULL OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')) AND c.relpersistence <> 't'
      ORDER BY 1`,
    [parts.at(-1) ?? '', parts.length > 1 ? (parts[0] ?? '') : null],
  );
  const [first, ...others] = rows;
  if (first === undefined) return null;
  if (others.length > 0) {
    throw new UnderstudyError('REQUEST_INVALID', `several schemas have a table ${written}`, {
      hint: `name one of ${rows.map(([schema, name]) => `${schema}.${name}`).join(', ')}`,
    });
  }
  return { schema: first[0] ?? '', name: first[1] ?? '' };
}

async function nameParts(snapshot: Snapshot, written: string): Promise<readonly string[]> {
  const invalid = (): UnderstudyError =>
    new UnderstudyError('REQUEST_INVALID', `${JSON.stringify(written)} is not the name of a table`, {
      hint: 'write it as in SQL: users, shop.users, "Odd name"',
    });
  const isName =
    /^\s*(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?:\.(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*))?\s*$/u.test(
      written,
    );
  if (!isName) throw invalid();
  const rows = await snapshot.query('SELECT unnest(pg_catalog.parse_ident($1))', [written]);
  return rows.map(([part]) => part ?? '');
}

/** A type compares if it, or the element of an array, has a default order; enums, ranges and strings do without an entry. */
const shapeQuery = `
SELECT json_build_object(
  'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'persistence', c.relpersistence,
  'estimatedRows', (SELECT CASE WHEN min(l.reltuples) < 0 THEN NULL ELSE sum(l.reltuples)::float8 END FROM pg_class l WHERE l.oid IN
     (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf UNION SELECT c.oid WHERE c.relkind <> 'p')),
  'columns', coalesce((SELECT json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'castType', format_type(a.atttypid, -1),
      'baseType', b.typname, 'isGenerated', a.attgenerated <> '', 'identity', a.attidentity, 'isNotNull', a.attnotnull,
      'isComparable', e.typtype IN ('e', 'r', 'm') OR e.typcategory = 'S' OR EXISTS (SELECT FROM pg_opclass o
         JOIN pg_am m ON m.oid = o.opcmethod WHERE m.amname = 'btree' AND o.opcdefault AND o.opcintype = e.oid)
    ) ORDER BY a.attnum)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
      JOIN pg_type e ON e.oid = CASE WHEN b.typcategory = 'A' AND b.typelem <> 0 THEN b.typelem ELSE b.oid END
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
  'primaryKey', coalesce((SELECT json_agg(a.attname ORDER BY k.place) FROM pg_index i,
      unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place), pg_attribute a
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
      AND a.attrelid = c.oid AND a.attnum = k.attnum), '[]'),
  'uniqueKeys', coalesce((SELECT json_agg(u.names ORDER BY u.names::text) FROM (
      SELECT array_agg(a.attname::text ORDER BY k.place) AS names FROM pg_index i,
        unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place), pg_attribute a
      WHERE i.indrelid = c.oid AND i.indisunique AND NOT i.indisprimary AND i.indisvalid AND i.indpred IS NULL
        AND i.indexprs IS NULL AND k.place <= i.indnkeyatts AND a.attrelid = c.oid AND a.attnum = k.attnum
      GROUP BY i.indexrelid HAVING bool_and(a.attnotnull)) u), '[]'))::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

/** `null`: this side has no such table. Throws REFUSED for what has no rows of its own that could be read. */
export async function readTable(snapshot: Snapshot, { schema, name }: TableName): Promise<TableReading | null> {
  const [row] = await snapshot.query(shapeQuery, [schema, name]);
  if (row === undefined) return null;
  const reading = tableSchema.parse(JSON.parse(row[0] ?? 'null'));
  const kind = { v: 'a view', m: 'a materialized view', f: 'a foreign table' }[reading.kind];
  if (kind !== undefined) {
    throw new UnderstudyError('REFUSED', `${schema}.${name} is ${kind}: it has no rows of its own to be compared`, {
      hint: 'compare the tables that it reads',
    });
  }
  if (reading.persistence === 'u') {
    throw new UnderstudyError('REFUSED', `${schema}.${name} is unlogged: what it held before is in no WAL`, {
      hint: 'no backup and no standby has its rows',
    });
  }
  return reading;
}
