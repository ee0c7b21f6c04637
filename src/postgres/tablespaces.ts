/**
 * Refuses to copy a node with tablespaces of its users: pg_basebackup puts them where they are on the source, outside of
 * the data directory, where a second copy finds the first one in its way, and nobody knows whose it is.
 *
 * Asked of the source before anything is copied, with the role that pg_rewind reads it with.
 */
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Upstream } from '../ports/postgres.ts';
import { askSource } from './source-query.ts';
import type { Reach } from './upstream.ts';

/** Those that every cluster has (documentation 23.6). */
const text = `select spcname as name from pg_catalog.pg_tablespace
  where spcname not in ('pg_default', 'pg_global') order by 1`;
const rows = z.array(z.object({ name: z.string() }));

/** Throws CLONE_FAILED. */
export async function refuseTablespaces(upstream: Upstream, reach: Reach): Promise<void> {
  // One that can't be asked: what they do to pg_basebackup is told by that then.
  const names = ((await askSource(upstream, reach, text, rows)) ?? []).map(({ name }) => name);
  if (names.length === 0) return;
  const message = `${upstream.node} has tablespaces of its own, which can't be cloned: ${names.join(', ')}`;
  throw new UnderstudyError('CLONE_FAILED', message, {
    hint: 'move what is in them to pg_default (alter table … set tablespace pg_default), and drop them',
  });
}
