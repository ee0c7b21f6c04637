/**
 * What was last applied, in the database `postgres` (`understudy.applied`): beside what it describes, so that both are
 * restored, lost and taken over together.
 *
 * Invariant: a record is written in the transaction of what it records, wherever PostgreSQL allows one.
 */
import pg from 'pg';
import { z } from 'zod';
import type { Applied } from '../core/applied.ts';
import type { Statement } from './session.ts';

/** `database`: empty for what belongs to none. */
export interface AppliedKey {
  readonly database: string;
  readonly item: string;
}

export type AppliedRecords = ReadonlyMap<string, Applied & AppliedKey>;

const table = 'understudy.applied';
const text = pg.escapeLiteral;

export function keyOf({ database, item }: AppliedKey): string {
  return `${database}\n${item}`;
}

export const makeTable = `
  CREATE SCHEMA IF NOT EXISTS understudy;
  REVOKE ALL ON SCHEMA understudy FROM PUBLIC;
  CREATE TABLE IF NOT EXISTS ${table} (
    database text NOT NULL, item text NOT NULL, declared text, actual text,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (database, item))`;

export const hasTable = `to_regclass('${table}') is not null`;

const row = z.object({
  database: z.string(),
  item: z.string(),
  declared: z.string().nullable(),
  actual: z.string().nullable(),
});

export const appliedStatement: Statement<z.infer<typeof row>> = {
  row,
  text: `select database, item, declared, actual from ${table} order by database, item`,
};

function literal(value: string | null): string {
  return value === null ? 'NULL' : text(value);
}

/** `seen`: an expression for what is there now, where that is not what was declared. */
export function record({ database, item }: AppliedKey, declared: string | null, seen = literal(declared)): string {
  return (
    `INSERT INTO ${table} (database, item, declared, actual) ` +
    `VALUES (${text(database)}, ${text(item)}, ${literal(declared)}, ${seen}) ON CONFLICT (database, item) ` +
    'DO UPDATE SET declared = excluded.declared, actual = excluded.actual, applied_at = now()'
  );
}

export function forget({ database, item }: AppliedKey): string {
  return `DELETE FROM ${table} WHERE database = ${text(database)} AND item = ${text(item)}`;
}

export function forgetDatabase(database: string): string {
  return `DELETE FROM ${table} WHERE database = ${text(database)}`;
}
