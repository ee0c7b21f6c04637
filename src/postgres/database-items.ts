/**
 * What a declaration says of one database, item by item: owner, who may connect, limit, settings. Pure.
 *
 * Encoding and locale are fixed when it is made; that they differ can only be told.
 */
import pg from 'pg';
import { groupRole } from '../core/application-roles.ts';
import { type Drift, isSameCharacters } from '../core/applied.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { forget, forgetDatabase, record } from './applied-table.ts';
import type { Item } from './item-plan.ts';
import { type Catalog, type CatalogDatabase, retiredMark } from './role-catalog.ts';

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;

/** As PostgreSQL has it (documentation 53.15, datconnlimit). */
const noLimit = -1;

function limitText(connections: number): string {
  return connections === noLimit ? 'none' : String(connections);
}

/** As CREATE DATABASE leaves it. */
export function newDatabase({ name, owner, encoding, locale }: DatabaseSpec): CatalogDatabase {
  return {
    name,
    owner,
    connect: [null, owner],
    connectionLimit: noLimit,
    encoding: encoding ?? '',
    locale: locale ?? '',
    settings: {},
  };
}

/** Another encoding than the template's needs the one template that has nothing in it (documentation 23.3). */
export function createDatabase({ name, owner, encoding, locale }: DatabaseSpec): string {
  const template = encoding === null && locale === null ? '' : ' TEMPLATE template0';
  const characters = encoding === null ? '' : ` ENCODING ${text(encoding)}`;
  const collation = locale === null ? '' : ` LOCALE ${text(locale)}`;
  return `CREATE DATABASE ${q(name)} OWNER ${q(owner)}${template}${characters}${collation}`;
}

/** Whatever was recorded was of another one. What is recorded now is how its roles are found if it can't be made (database-drop.ts). */
export function beginDatabase({ name, owner }: DatabaseSpec): string {
  return [
    forgetDatabase(name),
    record({ database: name, item: 'database' }, 'being made'),
    record({ database: name, item: 'owner' }, owner),
  ].join('; ');
}

/** Parameters whose value is a list of names: in one pair of quotes they would be one name. */
const lists = new Set(['search_path', 'temp_tablespaces']);

function settingValue(name: string, value: string): string {
  if (!lists.has(name)) return text(value);
  const names = value.split(',').map((each) => each.trim().replace(/^"(.*)"$/, '$1'));
  return names.map((each) => text(each)).join(', ');
}

/** As the server wrote it down. */
function settingSeen(database: string, name: string): string {
  const prefix = text(`${name}=`);
  return (
    '(SELECT substr(s, length(' +
    `${prefix}) + 1) FROM pg_db_role_setting, unnest(setconfig) s WHERE setrole = 0 AND setdatabase = ` +
    `(SELECT oid FROM pg_database WHERE datname = ${text(database)}) AND starts_with(s, ${prefix}))`
  );
}

function settingItems(catalog: Catalog, { name: database, settings }: DatabaseSpec, found: CatalogDatabase): Item[] {
  const known = [...catalog.applied.values()].flatMap((each) => {
    const [, name] = /^setting (.+)$/.exec(each.item) ?? [];
    return each.database === database && name !== undefined ? [name] : [];
  });
  const names = new Set([...Object.keys(settings), ...Object.keys(found.settings), ...known]);
  return [...names].sort().map((name) => {
    const value = Object.hasOwn(settings, name) ? (settings[name] ?? null) : null;
    const set = `ALTER DATABASE ${q(database)}`;
    const parameter = name.split('.').map(q).join('.');
    return {
      database,
      item: `setting ${name}`,
      name: `${name} of ${database}`,
      declared: value,
      actual: found.settings[name] ?? null,
      isDefault: value === null,
      change: [
        value === null ? `${set} RESET ${parameter}` : `${set} SET ${parameter} TO ${settingValue(name, value)}`,
      ],
      ...(value === null ? {} : { seen: settingSeen(database, name) }),
    };
  });
}

export function databaseItems(catalog: Catalog, spec: DatabaseSpec, found: CatalogDatabase): readonly Item[] {
  const { name: database, owner, connectionLimit } = spec;
  const readers = groupRole(database, 'read');
  const isNew = !catalog.databases.includes(found);
  const at = q(database);
  const all: Item[] = [
    {
      database,
      item: 'owner',
      name: `owner of ${database}`,
      declared: owner,
      actual: found.owner,
      change: [`ALTER DATABASE ${at} OWNER TO ${q(owner)}`],
    },
    {
      database,
      item: 'connect of everyone',
      name: `connections of everyone to ${database}`,
      declared: 'no',
      actual: found.connect.includes(null) ? 'yes' : 'no',
      change: [`REVOKE ALL ON DATABASE ${at} FROM PUBLIC`],
    },
    {
      database,
      item: 'connect of readers',
      name: `connections of applications to ${database}`,
      declared: 'yes',
      actual: found.connect.includes(readers) ? 'yes' : 'no',
      change: [`GRANT CONNECT, TEMPORARY ON DATABASE ${at} TO ${q(readers)}`],
    },
    {
      database,
      item: 'connection limit',
      name: `connection limit of ${database}`,
      declared: limitText(connectionLimit ?? noLimit),
      actual: limitText(found.connectionLimit),
      isDefault: connectionLimit === null,
      change: [`ALTER DATABASE ${at} CONNECTION LIMIT ${connectionLimit ?? noLimit}`],
    },
    ...settingItems(catalog, spec, found),
  ];
  return all.map((item) => ({ ...item, isNew }));
}

export function fixedDrift({ name, encoding, locale }: DatabaseSpec, found: CatalogDatabase): readonly Drift[] {
  const differs = (what: string, actual: string, declared: string | null): readonly Drift[] =>
    declared === null || isSameCharacters(declared, actual)
      ? []
      : [{ name: `${what} of ${name}`, kind: 'fixed', actual, declared }];
  return [...differs('encoding', found.encoding, encoding), ...differs('locale', found.locale, locale)];
}

/** Nobody takes their place: whoever comes sees that he may not connect. Who slipped in is ended later (sessions.ts). */
function endSessionsIn(database: string): string {
  return `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_authid r ON r.oid = a.usesysid
    WHERE a.datname = ${text(database)} AND NOT r.rolsuper`;
}

/**
 * Is it there, and may anybody connect? What is no longer declared is closed to everyone but the superuser; its data stays.
 * One that was dropped by hand is not made again, empty, behind anybody's back.
 */
export function existence(catalog: Catalog, name: string, spec: DatabaseSpec | null): Item {
  const found = catalog.databases.find((each) => each.name === name);
  const key = { database: name, item: 'database' };
  const at = q(name);
  const mark = `ALTER DATABASE ${at}`;
  const open =
    found === undefined || spec === null
      ? []
      : [`${mark} RESET ${retiredMark.setting}`, `GRANT ALL ON DATABASE ${at} TO ${q(found.owner)}`];
  const grantees = (found?.connect ?? []).map((grantee) => (grantee === null ? 'PUBLIC' : q(grantee)));
  const close = [
    ...grantees.map((grantee) => `REVOKE ALL ON DATABASE ${at} FROM ${grantee}`),
    `${mark} SET ${retiredMark.setting} TO ${text(retiredMark.value)}`,
    // Whoever may connect is settled anew when it is declared again.
    ...['connect of everyone', 'connect of readers'].map((item) => forget({ database: name, item })),
  ];
  return {
    ...key,
    name: `database ${name}`,
    declared: spec === null ? 'retired' : 'open',
    actual: found === undefined ? null : found.connect.length === 0 ? 'retired' : 'open',
    change: spec === null ? close : open,
    ...(spec === null ? { afterwards: [endSessionsIn(name)] } : {}),
  };
}

/** Databases that were declared once and are no more. */
export function formerDatabases(catalog: Catalog, databases: readonly DatabaseSpec[]): readonly string[] {
  const declared = new Set(databases.map(({ name }) => name));
  return [...catalog.applied.values()]
    .filter(({ item, database }) => item === 'database' && !declared.has(database))
    .map(({ database }) => database);
}
