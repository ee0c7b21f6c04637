/**
 * The statements that bring the rows of then back into the table of now, for psql. Pure.
 *
 * Invariant: nothing that was changed after the comparison is overwritten: an UPDATE has the values seen as its condition and otherwise
 * touches no row, an INSERT of a key that is there again fails, and with it the whole transaction. Nothing is deleted: rows that are new stand
 * as comments if they are asked for. Every name and value is quoted as the server's quote_ident and quote_literal do, each value cast to
 * its column's type, and no comment ends before it should.
 */
import pg from 'pg';
import type { Difference } from './differences.ts';
import { tableText } from './row-queries.ts';
import type { Cell, Cells } from './snapshot.ts';
import type { Column } from './table-reading.ts';
import type { TableShape } from './table-shape.ts';

const { escapeIdentifier, escapeLiteral } = pg;

export interface ScriptOptions {
  /** Rows that were not there then, as DELETEs in comments. */
  readonly withNew?: boolean;
}

export interface ScriptAbout {
  /** Such as `2026-11-19T14:00:00Z`. */
  readonly past: string;
  readonly present: string;
  readonly database: string;
}

export function scriptHead(shape: TableShape, about: ScriptAbout): string {
  const dropped = shape.onlyThen.length === 0 ? [] : [`Columns of then that are gone: ${shape.onlyThen.join(', ')}.`];
  const added =
    shape.onlyNow.length === 0 ? [] : [`Columns of present, left to their defaults: ${shape.onlyNow.join(', ')}.`];
  const words = [
    `Rows of ${shape.schema}.${shape.name} in ${about.database} as they were at ${about.past}, compared with ${about.present}.`,
    'Read it, then run it with psql: one transaction, all or nothing.',
    'A row that was changed after the comparison is left as it is ("UPDATE 0"); a key that is in use again stops everything.',
    'It knows this one table: foreign keys, unique columns and triggers act as ever, and rows of other tables may have to come first.',
    ...dropped,
    ...added,
  ];
  const settings = [
    "SET LOCAL DateStyle = 'ISO,YMD';",
    "SET LOCAL IntervalStyle = 'postgres';",
    "SET LOCAL TimeZone = 'UTC';",
    "SET LOCAL bytea_output = 'hex';",
    'SET LOCAL extra_float_digits = 1;',
  ];
  // Before the first literal: what was read as UTF-8 is sent as such.
  const start = ['\\set ON_ERROR_STOP on', "\\encoding 'UTF8'", 'BEGIN;', ...settings];
  return `${comment(words.join('\n'))}\n${start.join('\n')}\n`;
}

export function scriptEnd(): string {
  return 'COMMIT;\n';
}

/** `''` for what needs none. */
export function restoringStatement(shape: TableShape, difference: Difference, options: ScriptOptions = {}): string {
  switch (difference.kind) {
    case 'gone':
      return `${insertion(shape, difference.past)}\n`;
    case 'changed':
      return `${update(shape, difference)}\n`;
    case 'new':
      return options.withNew === true ? `${comment(deletion(shape, difference.present))}\n` : '';
  }
}

function insertion(shape: TableShape, cells: Cells): string {
  const { columns, name, schema } = shape;
  // An INSERT goes to the one table without saying so.
  const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
  const names = columns.map((column) => escapeIdentifier(column.name)).join(', ');
  const values = columns.map((column, index) => literal(column, cells[index] ?? null)).join(', ');
  const overriding = columns.some(({ identity }) => identity !== '') ? ' OVERRIDING SYSTEM VALUE' : '';
  return `INSERT INTO ${table} (${names})${overriding} VALUES (${values});`;
}

function update(
  shape: TableShape,
  { columns: changed, present, past }: Extract<Difference, { kind: 'changed' }>,
): string {
  const differing = shape.columns.flatMap((column, index) =>
    changed.includes(column.name) ? [{ column, was: past[index] ?? null, is: present[index] ?? null }] : [],
  );
  // GENERATED ALWAYS takes nothing but its own next value in an UPDATE (documentation, CREATE TABLE).
  const fixed = differing.filter(({ column }) => column.identity === 'a');
  const settable = differing.filter(({ column }) => column.identity !== 'a');
  const notes = fixed.map(({ column, was }) => comment(`${column.name} was ${was ?? 'NULL'}, and can't be set`));
  if (settable.length === 0) return notes.join('\n');
  const assignments = settable.map(({ column, was }) => `${escapeIdentifier(column.name)} = ${literal(column, was)}`);
  const guards = settable.map(({ column, is }) => guard(column, is));
  const statement = `UPDATE ${tableText(shape)} SET ${assignments.join(', ')} WHERE ${keyCondition(shape, present)} AND ${guards.join(' AND ')};`;
  return [...notes, statement].join('\n');
}

function deletion(shape: TableShape, cells: Cells): string {
  return `DELETE FROM ${tableText(shape)} WHERE ${keyCondition(shape, cells)};`;
}

/** By the key's own equality, so that its index serves. */
function keyCondition({ columns, key }: TableShape, cells: Cells): string {
  return key
    .map(({ column }) => {
      const index = columns.findIndex(({ name }) => name === column.name);
      return `${escapeIdentifier(column.name)} = ${literal(column, cells[index] ?? null)}`;
    })
    .join(' AND ');
}

/** What has no equality, such as json, is compared by its text. */
function guard(column: Column, value: Cell): string {
  const name = escapeIdentifier(column.name);
  if (value === null) return `${name} IS NULL`;
  if (column.isComparable) return `${name} IS NOT DISTINCT FROM ${literal(column, value)}`;
  return `${name}::text = ${escapeLiteral(value).trim()}`;
}

function literal({ castType }: Column, value: Cell): string {
  return value === null ? 'NULL' : `${escapeLiteral(value).trim()}::${castType}`;
}

/** A line's end in a name or a value begins another line of the comment. */
function comment(text: string): string {
  return text
    .split(/\r\n|[\n\r]/)
    .map((line) => `-- ${line}`)
    .join('\n');
}
