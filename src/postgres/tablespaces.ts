/**
 * Refuses to copy a node with tablespaces of its users: pg_basebackup puts them where they are on the source, outside of
 * the data directory, where a second copy finds the first one in its way, and nobody knows whose it is.
 *
 * Asked of the source before anything is copied, with the role that pg_rewind reads it with.
 */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Upstream } from '../ports/postgres.ts';
import { rewindRole } from './layout.ts';
import type { Reach } from './upstream.ts';
import { within } from './waiting.ts';

const askWithinMs = 5_000;
/** Those that every cluster has (documentation 23.6). */
const text = `select spcname as name from pg_catalog.pg_tablespace
  where spcname not in ('pg_default', 'pg_global') order by 1`;
const rows = z.array(z.object({ name: z.string() }));

/** `null`: the source can't be asked. What it does to pg_basebackup is told by that then. */
async function readTablespaces(upstream: Upstream, { tls }: Reach): Promise<readonly string[] | null> {
  let client: pg.Client | null = null;
  try {
    const [ca, cert, key] = await Promise.all([tls.ca, tls.certificate, tls.key].map((path) => readFile(path, 'utf8')));
    const asking = new pg.Client({
      host: upstream.address,
      port: upstream.port,
      user: rewindRole,
      database: 'postgres',
      ssl: { ca, cert, key, servername: upstream.hostName },
    });
    client = asking;
    asking.on('error', () => undefined);
    const answer = asking.connect().then(async () => await asking.query<object>(text));
    const found = await within(askWithinMs, answer);
    return found === null ? null : rows.parse(found.rows).map(({ name }) => name);
  } catch {
    return null;
  } finally {
    client?.connection.stream.destroy();
  }
}

/** Throws CLONE_FAILED. */
export async function refuseTablespaces(upstream: Upstream, reach: Reach): Promise<void> {
  const names = (await readTablespaces(upstream, reach)) ?? [];
  if (names.length === 0) return;
  const message = `${upstream.node} has tablespaces of its own, which can't be cloned: ${names.join(', ')}`;
  throw new UnderstudyError('CLONE_FAILED', message, {
    hint: 'move what is in them to pg_default (alter table … set tablespace pg_default), and drop them',
  });
}
