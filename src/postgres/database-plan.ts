/**
 * What must be done so that the declared databases, owners and application logins exist: pure, from the catalog as it
 * is to statements.
 *
 * - An owner is a role that can't log in; it owns its database and what its writers make in it.
 * - A `rw` application is a member of the owner and becomes it at login (`ALTER ROLE ... IN DATABASE ... SET role`), so
 *   that tables made by one application are not closed to the next.
 * - A `ro` application reads everything in its database, also what the owner makes later, and writes nothing.
 * - An application may bear its owner's name: then it is the owner, and may log in.
 *
 * Roles that this product made bear a comment; only those ever lose their login. Never drops a role or a database, and
 * never touches a superuser.
 */
import pg from 'pg';
import type { DatabaseSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ApplicationRole } from '../ports/postgres.ts';
import { replicationRole, superuser } from './layout.ts';

export const applicationComment = 'understudy application';
export const ownerComment = 'understudy owner';

export interface CatalogRole {
  readonly name: string;
  readonly login: boolean;
  readonly privileged: boolean;
  readonly comment: string | null;
  readonly memberOf: readonly string[];
}

export interface Catalog {
  readonly major: number;
  readonly roles: readonly CatalogRole[];
  readonly databases: readonly { readonly name: string; readonly owner: string; readonly publicConnect: boolean }[];
  /** `ALTER ROLE role IN DATABASE database SET role = setRole`. */
  readonly roleSettings: readonly { readonly role: string; readonly database: string; readonly setRole: string }[];
}

export interface DatabasePlan {
  /** In the database `postgres`, one by one: CREATE DATABASE takes no transaction. */
  readonly statements: readonly string[];
  /** Roles whose sessions must end after that. */
  readonly endSessionsOf: readonly string[];
}

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;

function refuseReserved(name: string): void {
  if (name === superuser || name === replicationRole || name.startsWith('pg_')) {
    throw new UnderstudyError('CONFIG_INVALID', `${name} is a reserved role and can't be an owner or an application`);
  }
}

function planOwners(catalog: Catalog, owners: ReadonlySet<string>, logins: ReadonlySet<string>): string[] {
  const steps: string[] = [];
  for (const owner of owners) {
    refuseReserved(owner);
    if (logins.has(owner) || catalog.roles.some(({ name }) => name === owner)) continue;
    steps.push(`CREATE ROLE ${q(owner)} NOLOGIN`, `COMMENT ON ROLE ${q(owner)} IS ${text(ownerComment)}`);
  }
  return steps;
}

function planLogins(catalog: Catalog, applications: readonly ApplicationRole[]): string[] {
  const steps: string[] = [];
  for (const { role } of applications) {
    refuseReserved(role);
    const found = catalog.roles.find(({ name }) => name === role);
    if (found?.privileged === true) {
      throw new UnderstudyError(
        'CONFIG_INVALID',
        `the role ${role} is a superuser or may replicate; an application must not be one`,
      );
    }
    // No password: it logs in with the certificate of a node.
    if (found === undefined) steps.push(`CREATE ROLE ${q(role)} LOGIN`);
    else if (!found.login) steps.push(`ALTER ROLE ${q(role)} LOGIN`);
    if (found?.comment !== applicationComment) steps.push(`COMMENT ON ROLE ${q(role)} IS ${text(applicationComment)}`);
  }
  return steps;
}

function planDatabases(catalog: Catalog, databases: readonly DatabaseSpec[]): string[] {
  const steps: string[] = [];
  for (const { name, owner } of databases) {
    const found = catalog.databases.find((each) => each.name === name);
    if (found === undefined) steps.push(`CREATE DATABASE ${q(name)} OWNER ${q(owner)}`);
    else if (found.owner !== owner) steps.push(`ALTER DATABASE ${q(name)} OWNER TO ${q(owner)}`);
    if (found === undefined || found.publicConnect) steps.push(`REVOKE ALL ON DATABASE ${q(name)} FROM PUBLIC`);
  }
  return steps;
}

function planMemberships(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
): string[] {
  const steps: string[] = [];
  const ownerNames = new Set(databases.map(({ owner }) => owner));
  for (const { role, database, rights } of applications) {
    const owner = databases.find(({ name }) => name === database)?.owner;
    if (owner === undefined)
      throw new UnderstudyError('CONFIG_INVALID', `${role}: no database ${database} is declared`);
    if (owner === role && rights === 'ro') {
      throw new UnderstudyError('CONFIG_INVALID', `${role} owns ${database} and can't be limited to reading`);
    }
    const wanted = rights === 'rw' && owner !== role ? owner : null;
    const memberOf = catalog.roles.find(({ name }) => name === role)?.memberOf ?? [];
    for (const group of memberOf) {
      if (group !== wanted && ownerNames.has(group)) steps.push(`REVOKE ${q(group)} FROM ${q(role)}`);
    }
    if (wanted !== null && !memberOf.includes(wanted)) steps.push(`GRANT ${q(wanted)} TO ${q(role)}`);
    const settings = catalog.roleSettings.filter((each) => each.role === role);
    for (const setting of settings) {
      if (setting.database === database && setting.setRole === wanted) continue;
      steps.push(`ALTER ROLE ${q(role)} IN DATABASE ${q(setting.database)} RESET role`);
    }
    if (wanted !== null && !settings.some((each) => each.database === database && each.setRole === wanted)) {
      steps.push(`ALTER ROLE ${q(role)} IN DATABASE ${q(database)} SET role = ${text(wanted)}`);
    }
  }
  return steps;
}

export function planDatabaseChanges(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
): DatabasePlan {
  const logins = new Set(applications.map(({ role }) => role));
  const revoked = catalog.roles.filter(
    ({ name, login, comment, privileged }) =>
      login && !privileged && comment === applicationComment && !logins.has(name),
  );
  return {
    statements: [
      ...planOwners(catalog, new Set(databases.map(({ owner }) => owner)), logins),
      ...planLogins(catalog, applications),
      ...planDatabases(catalog, databases),
      ...planMemberships(catalog, databases, applications),
      ...revoked.map(({ name }) => `ALTER ROLE ${q(name)} NOLOGIN`),
    ],
    endSessionsOf: revoked.map(({ name }) => name),
  };
}

/** Rights inside one database; may be repeated. Run in one transaction there. */
export function databaseGrants(database: DatabaseSpec, applications: readonly ApplicationRole[]): string {
  const owner = q(database.owner);
  const own = applications.filter((each) => each.database === database.name && each.role !== database.owner);
  const readers = own.filter(({ rights }) => rights === 'ro').map(({ role }) => role);
  const writers = own.filter(({ rights }) => rights === 'rw').map(({ role }) => role);
  const lines = [
    // Before version 15 everyone may create tables there.
    'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    `GRANT ALL ON SCHEMA public TO ${owner}`,
    ...own.map(({ role }) => `GRANT CONNECT, TEMPORARY ON DATABASE ${q(database.name)} TO ${q(role)}`),
    ...readers.flatMap((reader) => [
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT USAGE ON SCHEMAS TO ${q(reader)}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT SELECT ON TABLES TO ${q(reader)}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT SELECT ON SEQUENCES TO ${q(reader)}`,
      schemaGrants(reader),
    ]),
    // Who was a reader before keeps nothing of it beyond what membership gives.
    ...writers.flatMap((writer) => [
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} REVOKE ALL ON SCHEMAS FROM ${q(writer)}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} REVOKE ALL ON TABLES FROM ${q(writer)}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} REVOKE ALL ON SEQUENCES FROM ${q(writer)}`,
    ]),
  ];
  return lines.map((line) => `${line};`).join('\n');
}

/** Every schema that is not the system's. */
function schemaGrants(reader: string): string {
  return `DO $understudy$
    DECLARE space name;
    BEGIN
      FOR space IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', space, ${text(reader)});
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', space, ${text(reader)});
        EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', space, ${text(reader)});
      END LOOP;
    END
  $understudy$`;
}
