/**
 * The table of outcomes: which work was committed, by the caller's keys. Pure texts.
 *
 * Invariant: the row is written by the very transaction that it tells of, so that both are there or neither. Who writes a key
 * that another transaction under way has written waits for that one to end: finding none means that there is none.
 */
import { escapeIdentifier, escapeLiteral } from 'pg';
import { OptionError } from '../errors.ts';

export interface OutcomeTable {
  /** To be run once, by whoever may make tables. May be run again. */
  readonly create: string;
  /** Answers one row when the key is new, with the transaction's id; none when it was committed before. */
  insert(key: string): string;
  /** Keeps the result beside the key. */
  keep(key: string, json: string): string;
  /** What was kept. */
  readonly find: string;
  /** Writes again, so that its commit confirms the first one's as durable. */
  readonly confirm: string;
  /** Those older than so many ms are forgotten. */
  readonly forget: string;
}

/** `name`: `table` or `schema.table`. Throws OptionError. */
export function outcomeTable(name: string): OutcomeTable {
  const parts = name.split('.');
  if (parts.length > 2 || parts.some((part) => part === '' || part.length > 63 || part.includes('\0'))) {
    throw new OptionError('outcomeTable', 'a name, or schema.name');
  }
  const table = parts.map((part) => escapeIdentifier(part)).join('.');
  return {
    create: `CREATE TABLE IF NOT EXISTS ${table} (
 key text PRIMARY KEY,
 committed_at timestamptz NOT NULL DEFAULT now(),
 confirmed_at timestamptz,
 result jsonb)`,
    insert: (key) => `INSERT INTO ${table} (key) VALUES (${escapeLiteral(key)}) ON CONFLICT DO NOTHING RETURNING key`,
    keep: (key, json) => `UPDATE ${table} SET result = ${escapeLiteral(json)}::jsonb WHERE key = ${escapeLiteral(key)}`,
    find: `SELECT result FROM ${table} WHERE key = $1`,
    confirm: `UPDATE ${table} SET confirmed_at = now() WHERE key = $1`,
    forget: `DELETE FROM ${table} WHERE committed_at < now() - $1::double precision * interval '1 millisecond'`,
  };
}
