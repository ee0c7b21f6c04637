/** All tables of a database, then and now: which are gone, which are new, and how many rows each has. */
import type { Sides } from './compare-table.ts';
import type { Snapshot } from './snapshot.ts';

/** `estimated`: as the planner believes, since the last ANALYZE or VACUUM; `counted`: by reading all. */
export type Counting = 'estimated' | 'counted';

export interface TableOverview {
  readonly schema: string;
  readonly name: string;
  /** `kept`: on both sides, whatever became of its rows. */
  readonly standing: 'gone' | 'kept' | 'new';
  /** `null`: not there on that side, never estimated, or unlogged and so not readable. */
  readonly rowsThen: number | null;
  readonly rowsNow: number | null;
}

export interface DatabaseOverview {
  readonly counting: Counting;
  /** By schema and name. Partitions are counted with their table. */
  readonly tables: readonly TableOverview[];
}

/** Sums over partitions, and of those that have none over the table itself. */
const tablesQuery = `
SELECT n.nspname, c.relname,
  (SELECT CASE WHEN min(l.reltuples) < 0 THEN NULL ELSE sum(l.reltuples)::bigint END FROM pg_class l WHERE l.oid IN
     (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf UNION SELECT c.oid WHERE c.relkind <> 'p'))::text,
  CASE WHEN c.relpersistence = 'u' THEN NULL
    ELSE format('SELECT count(*)::text FROM %s%I.%I', CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, n.nspname, c.relname) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(?:toast_)?temp_'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

interface Found {
  readonly schema: string;
  readonly name: string;
  readonly rows: number | null;
}

export async function compareCatalogs({ past, present }: Sides, counting: Counting): Promise<DatabaseOverview> {
  const [before, after] = await Promise.all([readTables(past, counting), readTables(present, counting)]);
  const names = new Map([...before, ...after]);
  const tables = [...names].map(([key, { name, schema }]): TableOverview => {
    const [was, is] = [before.get(key), after.get(key)];
    const standing = was === undefined ? 'new' : is === undefined ? 'gone' : 'kept';
    return { schema, name, standing, rowsThen: was?.rows ?? null, rowsNow: is?.rows ?? null };
  });
  return { counting, tables: tables.sort((a, b) => ordered(a.schema, b.schema) || ordered(a.name, b.name)) };
}

function ordered(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

async function readTables(snapshot: Snapshot, counting: Counting): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  for (const [schema, name, estimate, count] of await snapshot.query(tablesQuery)) {
    const counted = counting === 'counted' && typeof count === 'string' ? await snapshot.query(count) : [];
    const rows = counting === 'counted' ? (counted[0]?.[0] ?? null) : estimate;
    const table = { schema: schema ?? '', name: name ?? '', rows: typeof rows === 'string' ? Number(rows) : null };
    found.set(JSON.stringify([table.schema, table.name]), table);
  }
  return found;
}
