/**
 * What the files that WAL names are called: asked of the very directory that the WAL is from, in single-user mode, before
 * anything of it is rewound. Elsewhere a number made past the fork may mean another table.
 *
 * What is not found there (a table that was emptied, rewritten or dropped since) has no name any more; nobody guesses.
 */
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Binaries } from './binaries.ts';
import { runSingleUser } from './crash-recovery.ts';
import type { Layout } from './layout.ts';
import type { RelationFile } from './lost-transactions.ts';
import type { Deadline } from './waiting.ts';

export interface RelationName {
  readonly database: string | null;
  /** `null`: not known. */
  readonly table: string | null;
  readonly kind: 'table' | 'catalog' | 'toast';
}

const databaseRow = z.object({ oid: z.number(), name: z.string() });
const relationRow = z.object({ file: z.number(), schema: z.string(), name: z.string() });

/** Below this number only `initdb` makes objects: the system's own (access/transam.h). */
const firstNormalNumber = 16_384;
/** What lies in the shared tablespace belongs to no database. */
const sharedSpace = '1664';

/** The one text value that a statement printed: `1: j = "…"	(typeid = …`. JSON escapes line breaks, so it is one line. */
export function singleUserJson(output: string): unknown {
  const match = /\bj = "(.*)"\t\(typeid = /.exec(output);
  if (match?.[1] === undefined) throw new UnderstudyError('POSTGRES_FAILED', 'single-user mode printed no answer');
  return JSON.parse(match[1]);
}

function statement(select: string): string {
  // jsonb, since json_agg breaks the line between its elements.
  return `select coalesce(jsonb_agg(x), '[]')::text as j from (${select.replace(/\s+/g, ' ')}) x;\n\n`;
}

export function relationNames(layout: Layout, binaries: Binaries, deadline: Deadline) {
  const ask = async <T>(database: string, select: string, row: z.ZodType<T>): Promise<readonly T[]> => {
    const printed = await runSingleUser(layout, binaries, database, statement(select), deadline);
    return z.array(row).parse(singleUserJson(printed));
  };

  const inDatabase = async (name: string, files: readonly number[]) =>
    await ask(
      name,
      `select pg_relation_filenode(c.oid)::bigint as file, n.nspname as schema, c.relname as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 't', 'm') and pg_relation_filenode(c.oid) in (${files.join(', ')})`,
      relationRow,
    );

  /** Throws when the directory can't be opened in single-user mode. */
  return async (wanted: Iterable<RelationFile>): Promise<ReadonlyMap<RelationFile, RelationName>> => {
    const names = new Map<RelationFile, RelationName>();
    const byDatabase = new Map<number, RelationFile[]>();
    for (const relation of wanted) {
      const [space = '', database = ''] = relation.split('/');
      if (space === sharedSpace) names.set(relation, { database: null, table: null, kind: 'catalog' });
      else byDatabase.set(Number(database), [...(byDatabase.get(Number(database)) ?? []), relation]);
    }
    if (byDatabase.size === 0) return names;
    const databases = await ask('postgres', 'select oid::bigint as oid, datname as name from pg_database', databaseRow);
    for (const [oid, relations] of byDatabase) {
      const database = databases.find((each) => each.oid === oid)?.name ?? null;
      const files = relations.map(fileOf);
      // A name that looks like an option could not be passed on.
      const found = database === null || database.startsWith('-') ? [] : await inDatabase(database, files);
      for (const relation of relations) {
        const row = found.find(({ file }) => file === fileOf(relation));
        names.set(relation, nameOf(database, fileOf(relation), row));
      }
    }
    return names;
  };
}

function fileOf(relation: RelationFile): number {
  return Number(relation.split('/')[2]);
}

function nameOf(database: string | null, file: number, row: z.infer<typeof relationRow> | undefined): RelationName {
  if (row === undefined) return { database, table: null, kind: file < firstNormalNumber ? 'catalog' : 'table' };
  const table = `${row.schema}.${row.name}`;
  if (row.schema === 'pg_toast') return { database, table, kind: 'toast' };
  // Large objects are data, though they lie in a table of the system.
  const isCatalog = row.schema === 'pg_catalog' && row.name !== 'pg_largeobject';
  return { database, table, kind: isCatalog ? 'catalog' : 'table' };
}
