/**
 * What goes with a database that is dropped: its groups, the applications that used nothing else, and its owner, where it
 * owns nothing else. Pure.
 *
 * Invariant: nothing that is declared is dropped, and no role that this product didn't make. A role that has something in
 * another database can't be dropped, and stays.
 */
import pg from 'pg';
import { type ApplicationRole, groupRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { forget, forgetDatabase, keyOf } from './applied-table.ts';
import { isOurs as isRoleOfOurs } from './role-attributes.ts';
import { type Catalog, findRole, roleComments } from './role-catalog.ts';

const q = pg.escapeIdentifier;

export interface DropPlan {
  /** By itself: it takes no transaction. */
  readonly database: string;
  /** In an order that works: members before their groups. */
  readonly roles: readonly { readonly name: string; readonly statement: string }[];
  /** When all of that is done. */
  readonly forgetting: readonly string[];
}

type Databases = readonly DatabaseSpec[];
type Applications = readonly ApplicationRole[];

interface RolesOf {
  readonly groups: readonly string[];
  /** In an order that works. */
  readonly roles: readonly string[];
}

/** The roles that are for a database alone, as far as nothing else that is declared or there needs them. */
function rolesOf(catalog: Catalog, name: string, databases: Databases, applications: Applications): RolesOf {
  const declared = new Set([...applications.map((each) => each.name), ...databases.map(({ owner }) => owner)]);
  const users = [...catalog.applied.values()].flatMap(({ database, item }) => {
    const [, application] = /^application (.+)$/.exec(item) ?? [];
    const isElsewhere = [...catalog.applied.values()].some((each) => each.item === item && each.database !== name);
    return database === name && application !== undefined && !isElsewhere ? [application] : [];
  });
  const found = catalog.databases.find((each) => each.name === name);
  // Of one that could not be made it is known whose it was to be.
  const owner = found?.owner ?? catalog.applied.get(keyOf({ database: name, item: 'owner' }))?.declared ?? '';
  const ownsMore = catalog.databases.some((each) => each.name !== name && each.owner === owner);
  const groups = [...users, ...(ownsMore ? [] : [owner])].filter(
    (each) => !declared.has(each) && isOurs(catalog, each),
  );
  const logins = catalog.roles.filter(
    ({ comment, memberOf }) => comment === roleComments.login && memberOf.some((group) => groups.includes(group)),
  );
  const rights = (['write', 'read'] as const)
    .map((may) => groupRole(name, may))
    .filter((each) => isOurs(catalog, each));
  return { groups, roles: [...new Set([...logins.map((login) => login.name).sort(), ...groups, ...rights])] };
}

/** What is left of a database that is neither declared nor there. */
export function leftoverRoles(
  catalog: Catalog,
  name: string,
  databases: Databases,
  applications: Applications,
): readonly string[] {
  return rolesOf(catalog, name, databases, applications).roles;
}

/** Throws REFUSED for what is declared, NOT_FOUND for what this product never made. */
export function planDrop(catalog: Catalog, name: string, databases: Databases, applications: Applications): DropPlan {
  if (databases.some((each) => each.name === name)) {
    throw new UnderstudyError('REFUSED', `the database ${name} is declared`, {
      hint: 'take it out of the cluster file and apply that first',
    });
  }
  if (!catalog.applied.has(keyOf({ database: name, item: 'database' })))
    throw new UnderstudyError('NOT_FOUND', `no database ${name} was ever declared here`);
  const { groups, roles } = rolesOf(catalog, name, databases, applications);
  return {
    database: `DROP DATABASE IF EXISTS ${q(name)} WITH (FORCE)`,
    roles: roles.map((role) => ({ name: role, statement: `DROP ROLE IF EXISTS ${q(role)}` })),
    forgetting: [forgetDatabase(name), ...groups.map((role) => forget({ database: '', item: `role ${role}` }))],
  };
}

function isOurs(catalog: Catalog, name: string): boolean {
  const role = findRole(catalog, name);
  return role !== undefined && !role.privileged && isRoleOfOurs(role);
}
