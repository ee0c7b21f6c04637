/** Asks a database whether a condition is true, as SQL that somebody wrote for it. */
import type { ClientConfig } from 'pg';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Answer } from './moment-search.ts';
import { openSnapshot, type SnapshotOptions, useOwnSearchPath } from './snapshot.ts';

/**
 * SQLSTATE of what may not have been there at that moment: relation, column, function or operator, type, schema, database, role.
 * A name that was misspelt reads the same: whoever sees nothing but `null` says so.
 */
const notThere = new Set(['42P01', '42703', '42883', '42704', '3F000', '3D000']);

function stateOf(error: unknown): string {
  const cause = error instanceof UnderstudyError ? error.cause : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/**
 * `null`: what the condition names is not there. A condition that is NULL is not true. It may be a whole `SELECT` that answers one value.
 * Throws REQUEST_INVALID for what the server does not understand, and what a snapshot throws.
 */
export async function askCondition(config: ClientConfig, condition: string, options: SnapshotOptions): Promise<Answer> {
  try {
    const snapshot = await openSnapshot(config, options);
    try {
      await useOwnSearchPath(snapshot);
      // On lines of its own: it may end with a comment.
      const [row] = await snapshot.query(`SELECT ((\n${condition}\n)::boolean)::text`);
      return row?.[0] === 'true';
    } finally {
      await snapshot.close();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    const state = stateOf(error);
    if (notThere.has(state)) return null;
    if (!/^(?:42|22|21|0A)/.test(state)) throw error;
    throw new UnderstudyError('REQUEST_INVALID', `the condition ${condition} can't be asked`, {
      cause: error instanceof UnderstudyError ? error.cause : error,
      hint: "write what is true or false: (SELECT count(*) FROM users WHERE name = 'X') > 100",
    });
  }
}
