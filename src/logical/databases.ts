/** What a server says of its databases and of itself, before anything is dumped or loaded. */
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { ask, type Server } from './server.ts';

const databaseSchema = z.object({
  name: z.string(),
  owner: z.string(),
  bytes: z.number(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
});

export type Database = z.infer<typeof databaseSchema>;

const standingSchema = z.object({
  inRecovery: z.boolean(),
  isStreaming: z.boolean(),
  /** It replays later on purpose: what it shows is of the past. */
  isDelayed: z.boolean(),
  /** Received, and not yet visible. */
  unreplayedBytes: z.number(),
});

export type ServerStanding = z.infer<typeof standingSchema>;

const maintenance = 'postgres';

/** Those that one can connect to, by name. */
export async function listDatabases(server: Server, signal?: AbortSignal): Promise<readonly Database[]> {
  const lines = await ask(
    server,
    maintenance,
    `SELECT json_build_object('name', datname, 'owner', pg_get_userbyid(datdba), 'bytes', pg_database_size(oid),
       'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype)
     FROM pg_database WHERE datallowconn ORDER BY datname`,
    signal === undefined ? {} : { signal },
  );
  return lines.map((line) => databaseSchema.parse(JSON.parse(line)));
}

/** Throws NOT_FOUND, with those that there are. */
export async function requireDatabase(server: Server, name: string, signal?: AbortSignal): Promise<Database> {
  const all = await listDatabases(server, signal);
  const found = all.find((database) => database.name === name);
  if (found !== undefined) return found;
  throw new UnderstudyError('NOT_FOUND', `there is no database ${name}`, {
    hint: `databases are ${all.map((database) => database.name).join(', ')}`,
  });
}

export async function standingOf(server: Server, signal?: AbortSignal): Promise<ServerStanding> {
  const [line = 'null'] = await ask(
    server,
    maintenance,
    `SELECT json_build_object('inRecovery', pg_is_in_recovery(),
       'isStreaming', EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
       'isDelayed', (SELECT setting <> '0' FROM pg_settings WHERE name = 'recovery_min_apply_delay'),
       'unreplayedBytes', coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0))`,
    signal === undefined ? {} : { signal },
  );
  return standingSchema.parse(JSON.parse(line));
}

/** Of users, whatever their kind: what a load could collide with. */
export async function countTables(server: Server, database: string, signal?: AbortSignal): Promise<number> {
  const [count = '0'] = await ask(
    server,
    database,
    `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`,
    signal === undefined ? {} : { signal },
  );
  return Number(count);
}

/**
 * A table as pg_dump's patterns name exactly this one. Written as in SQL; in several schemas it is all of that name.
 * Throws NOT_FOUND.
 */
export async function tablePatterns(
  server: Server,
  database: string,
  written: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const isName = /^(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?:\.(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*))?$/u.test(
    written,
  );
  const lines = isName
    ? await ask(
        server,
        database,
        `SELECT json_build_array(n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
           parse_ident(:'written') AS parts
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname = parts[cardinality(parts)]
           AND (cardinality(parts) = 1 OR n.nspname = parts[1]) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
        { values: { written }, ...(signal === undefined ? {} : { signal }) },
      )
    : [];
  if (lines.length === 0) {
    throw new UnderstudyError('NOT_FOUND', `${database} has no table ${written}`, {
      hint: 'write it as in SQL: users, shop.users, "Odd name"',
    });
  }
  // Between quotes no character of a pattern means anything else.
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  return lines.map((line) => z.tuple([z.string(), z.string()]).parse(JSON.parse(line)).map(quoted).join('.'));
}
