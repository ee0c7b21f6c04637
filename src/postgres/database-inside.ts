/**
 * What is done inside one database: rights for its groups, once for each maker, and its extensions.
 *
 * Invariant: rights are given once and are the owner's to take away again; what was given stands in `understudy.applied`.
 * Extensions are made by the superuser and never dropped. One that can't be made keeps nothing else from being done.
 */
import pg from 'pg';
import { z } from 'zod';
import type { ApplicationRole } from '../core/application-roles.ts';
import type { Drift } from '../core/applied.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type AppliedRecords, forget, keyOf, record } from './applied-table.ts';
import { databaseGrants, handOver, makersOf } from './database-grants.ts';
import { decideItem, type Item, type Reverts } from './item-plan.ts';
import type { Statement } from './session.ts';

const q = pg.escapeIdentifier;

const extensionRow = z.object({ name: z.string(), installed: z.string().nullable(), available: z.array(z.string()) });
export type ExtensionFacts = z.infer<typeof extensionRow>;

/** What is installed here, and what could be (documentation 54.2, pg_available_extension_versions). */
export const extensionsStatement: Statement<ExtensionFacts> = {
  row: extensionRow,
  text: `select coalesce(a.name, e.extname)::text as name, e.extversion as installed,
      (select coalesce(json_agg(v.version), '[]') from pg_available_extension_versions v where v.name = a.name) as available
    from pg_extension e full join pg_available_extensions a on a.name = e.extname`,
};

export interface InsidePlan {
  /** Here, in one transaction; `null`: there is nothing to give. */
  readonly grants: string | null;
  /** Here, one by one. */
  readonly extensions: readonly { readonly name: string; readonly statement: string; readonly done: string }[];
  /** In the database `postgres`, after the grants. */
  readonly granted: readonly string[];
  readonly drift: readonly Drift[];
}

/** `records`: none of a database, or of groups, that were just made. `left`: makers of whom nothing new is to be said. */
export function planInside(
  database: DatabaseSpec,
  applications: readonly ApplicationRole[],
  records: AppliedRecords,
  facts: readonly ExtensionFacts[] | null,
  reverts: Reverts,
  left: ReadonlySet<string> = new Set(),
): InsidePlan {
  const key = (maker: string) => ({ database: database.name, item: `rights in what ${maker} makes` });
  const makers = makersOf(database, applications);
  const fresh = makers.filter((maker) => !left.has(maker) && !records.has(keyOf(key(maker))));
  const extensions = facts === null ? [] : extensionItems(database, records, facts);
  const decided = extensions.map((item) => ({ item, decision: decideItem(item, records, reverts) }));
  const former = formerMakers(database, makers, records);
  const readers = applications.filter((each) => each.database === database.name && each.rights === 'ro');
  const grants = [
    ...(former.length === 0
      ? []
      : [
          handOver(
            database,
            former,
            readers.map(({ name }) => name),
          ),
        ]),
    ...(fresh.length === 0 ? [] : [databaseGrants(database, fresh)]),
  ];
  return {
    grants: grants.length === 0 ? null : grants.join('\n'),
    granted: [
      ...fresh.map((maker) => record(key(maker), 'given')),
      // Who comes again is given them again.
      ...former.map((maker) => forget(key(maker))),
      ...decided.flatMap(({ item, decision }) => (decision === 'record' ? [record(item, item.declared)] : [])),
    ],
    extensions: decided.flatMap(({ item, decision }) =>
      decision === 'change' && item.declared !== null
        ? [{ name: item.extension, statement: createExtension(item.extension), done: record(item, 'installed') }]
        : [],
    ),
    drift: decided.flatMap(({ item, decision }): readonly Drift[] => {
      const { name, actual, declared } = item;
      if (declared === null && actual !== null) return [{ name, kind: 'kept', actual, declared }];
      return typeof decision === 'object' && decision !== null ? [decision] : [];
    }),
  };
}

function formerMakers({ name }: DatabaseSpec, makers: readonly string[], records: AppliedRecords): readonly string[] {
  return [...records.values()].flatMap(({ database, item }) => {
    const [, maker] = /^rights in what (.+) makes$/.exec(item) ?? [];
    return database === name && maker !== undefined && !makers.includes(maker) ? [maker] : [];
  });
}

interface ExtensionItem extends Item {
  readonly extension: string;
}

/** Declared ones, and those that were: what an owner made for himself is his. */
function extensionItems(
  { name: database, extensions }: DatabaseSpec,
  records: AppliedRecords,
  facts: readonly ExtensionFacts[],
): readonly ExtensionItem[] {
  const known = [...records.values()].flatMap(({ database: of, item }) => {
    const [, name] = /^extension (.+)$/.exec(item) ?? [];
    return of === database && name !== undefined ? [name] : [];
  });
  return [...new Set([...extensions, ...known])].map((extension) => ({
    database,
    item: `extension ${extension}`,
    extension,
    name: `extension ${extension} of ${database}`,
    declared: extensions.includes(extension) ? 'installed' : null,
    actual: facts.some(({ name, installed }) => name === extension && installed !== null) ? 'installed' : null,
    change: [],
  }));
}

/** Our sessions see the catalog alone, and an extension goes to the first schema that is seen. */
function createExtension(name: string): string {
  return `SET LOCAL search_path = public; CREATE EXTENSION IF NOT EXISTS ${q(name)} CASCADE`;
}

/** Throws EXTENSION_MISSING, before the server says it in its own words. */
export function requireExtension(
  name: string,
  { database, major }: { readonly database: string; readonly major: number },
  facts: readonly ExtensionFacts[],
): void {
  if (facts.some((each) => each.name === name && each.available.length > 0)) return;
  const here = facts.flatMap((each) => (each.available.length > 0 ? [each.name] : [])).sort();
  const likely = packageOf(name, major);
  const message = `the extension ${name} of ${database} is not installed here: its package may be ${likely}`;
  throw new UnderstudyError('EXTENSION_MISSING', message, {
    hint: `install it on every database node; what is there now: ${here.join(', ')}`,
  });
}

/** Where Debian's name of a package is not the extension's. */
const packages: Readonly<Record<string, (major: number) => string>> = {
  postgis: (major) => `postgresql-${major}-postgis-3`,
  vector: (major) => `postgresql-${major}-pgvector`,
  pg_cron: (major) => `postgresql-${major}-cron`,
  pg_partman: (major) => `postgresql-${major}-partman`,
  pg_repack: (major) => `postgresql-${major}-repack`,
  plpython3u: (major) => `postgresql-plpython3-${major}`,
  plperl: (major) => `postgresql-plperl-${major}`,
  pltcl: (major) => `postgresql-pltcl-${major}`,
};

function packageOf(name: string, major: number): string {
  return packages[name]?.(major) ?? `postgresql-${major}-${name.replaceAll('_', '-')}`;
}
