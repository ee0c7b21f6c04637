/**
 * One question to the server that is to be copied, with the role that pg_rewind reads it with, over verified TLS.
 *
 * Invariant: bounded, and leaves no connection behind.
 */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { z } from 'zod';
import type { Upstream } from '../ports/postgres.ts';
import { rewindRole } from './layout.ts';
import type { Reach } from './upstream.ts';
import { within } from './waiting.ts';

const askWithinMs = 5_000;

/** `null`: it can't be asked. */
export async function askSource<T>(
  upstream: Upstream,
  { tls }: Reach,
  text: string,
  rows: z.ZodType<T>,
): Promise<T | null> {
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
    return found === null ? null : rows.parse(found.rows);
  } catch {
    return null;
  } finally {
    client?.connection.stream.destroy();
  }
}
