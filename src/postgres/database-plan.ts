/**
 * What must be done so that the declared databases, their owners and groups, and the groups of applications exist: pure,
 * from the catalog as it is to statements.
 *
 * - An owner is a role that can't log in.
 * - Rights inside a database are granted to its groups `:read` and `:write` alone (database-grants.ts), and whoever has them
 *   is a member; `:write` is a member of `:read`.
 * - An application is a group of its own, so that everything it makes has one owner, whichever node made it. With the right
 *   `owner` it is a member of the owner; one that bears its owner's name is the owner.
 * - An owner is a member of `:write` and of the applications that write, so that nothing in its database is closed to it.
 *
 * What somebody changed by hand since it was last applied is told and left as it is (core/applied.ts), but for who may log in.
 * Each statement is one transaction and may be repeated, by another primary too. Only roles that bear a comment of this
 * product lose their login. Never drops a role or a database, and never touches a superuser, but for one whose attributes,
 * memberships or login somebody asked to have taken back.
 */
import pg from 'pg';
import { type ApplicationRole, groupRole } from '../core/application-roles.ts';
import type { Drift } from '../core/applied.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import type { UnderstudyError } from '../errors/understudy-error.ts';
import { forgetDatabase, keyOf, record } from './applied-table.ts';
import { leftoverRoles } from './database-drop.ts';
import {
  beginDatabase,
  createDatabase,
  databaseItems,
  existence,
  fixedDrift,
  formerDatabases,
  newDatabase,
} from './database-items.ts';
import { fitRoles } from './fit-roles.ts';
import { decideItem, type ItemPlan, planItems, type Reverts } from './item-plan.ts';
import { planLogins } from './login-plan.ts';
import { planMemberships } from './membership-plan.ts';
import { attributeItems } from './role-attributes.ts';
import { type Catalog, findRole, roleComments } from './role-catalog.ts';
import { loginsByHand, otherMemberships } from './roles-by-hand.ts';

export type StatementGroup = readonly string[];

export interface DatabasePlan {
  /** Who has lost his access; run first, whatever becomes of the rest. */
  readonly closing: readonly string[];
  /**
   * In the database `postgres`, one statement after the other: CREATE DATABASE takes no transaction. What follows one that failed in
   * the same group is left undone; groups stand by themselves.
   */
  readonly groups: readonly StatementGroup[];
  /** Then rights and extensions inside these. */
  readonly inside: readonly DatabaseSpec[];
  /** Of these, whatever was granted before was granted to other groups. */
  readonly newGroups: ReadonlySet<string>;
  /** Last of all. */
  readonly opening: readonly string[];
  /** What somebody changed by hand, and what nothing can change. */
  readonly drift: readonly Drift[];
  /** What can't be carried out, and keeps nothing else from it. */
  readonly troubles: readonly UnderstudyError[];
  /** Roles that stay as they are. */
  readonly left: ReadonlySet<string>;
}

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;

function planRole(catalog: Catalog, name: string, comment: string): string[] {
  const found = findRole(catalog, name);
  if (found === undefined) return [`CREATE ROLE ${q(name)} NOLOGIN; COMMENT ON ROLE ${q(name)} IS ${text(comment)}`];
  // What a role of ours stands for may change; others keep the comment that somebody gave them.
  const isOurs = Object.values(roleComments).some((each) => each === found.comment);
  return isOurs && found.comment !== comment ? [`COMMENT ON ROLE ${q(name)} IS ${text(comment)}`] : [];
}

function planGroups(catalog: Catalog, databases: readonly DatabaseSpec[]): string[] {
  return databases.flatMap(({ name }) => {
    const [read, write] = [groupRole(name, 'read'), groupRole(name, 'write')];
    const isReader = findRole(catalog, write)?.memberOf.includes(read) === true;
    return [
      ...planRole(catalog, read, roleComments.group),
      ...planRole(catalog, write, roleComments.group),
      ...(isReader ? [] : [`GRANT ${q(read)} TO ${q(write)}`]),
    ];
  });
}

interface DatabasesPlan {
  /** What is about to be made: known before any role of it is there. */
  readonly begun: readonly string[];
  readonly groups: readonly StatementGroup[];
  readonly drift: readonly Drift[];
  /** Databases that are there, to be looked into. */
  readonly inside: readonly DatabaseSpec[];
  /** Of these, whatever was recorded before is forgotten. */
  readonly made: ReadonlySet<string>;
}

interface Declared {
  readonly databases: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationRole[];
}

const nothing: ItemPlan = { statements: [], drift: [] };

function each(statements: readonly string[]): readonly StatementGroup[] {
  return statements.map((statement) => [statement]);
}

function planDatabase(
  catalog: Catalog,
  spec: DatabaseSpec,
  reverts: Reverts,
): Pick<DatabasesPlan, 'begun' | 'groups' | 'drift'> & { readonly is: 'there' | 'made' | 'missing' } {
  const found = catalog.databases.find(({ name }) => name === spec.name);
  const item = existence(catalog, spec.name, spec);
  if (found !== undefined) {
    const whole = [item, ...databaseItems(catalog, spec, found)];
    const { statements, drift } = planItems(whole, catalog.applied, reverts);
    return { begun: [], groups: each(statements), drift: [...drift, ...fixedDrift(spec, found)], is: 'there' };
  }
  const decision = decideItem(item, catalog.applied, reverts);
  if (typeof decision === 'object')
    return { begun: [], groups: [], drift: decision === null ? [] : [decision], is: 'missing' };
  // Of one that was there before, nothing is true any more.
  const made = planItems(databaseItems(catalog, spec, newDatabase(spec)), new Map(), reverts);
  return {
    begun: [beginDatabase(spec)],
    // It counts as made only when it was.
    groups: [[createDatabase(spec), record(item, item.declared)], ...each(made.statements)],
    drift: made.drift,
    is: 'made',
  };
}

/** One that is not there is remembered as long as roles of it are. */
function planGone(catalog: Catalog, name: string, { databases, applications }: Declared): ItemPlan {
  if (leftoverRoles(catalog, name, databases, applications).length === 0)
    return { ...nothing, statements: [forgetDatabase(name)] };
  const key = { database: name, item: 'database' };
  // Declared again, it is made again: it is no secret that it is gone.
  const isSettled = catalog.applied.get(keyOf(key))?.declared === 'retired';
  return isSettled ? nothing : { ...nothing, statements: [record(key, 'retired', 'NULL')] };
}

function planFormer(catalog: Catalog, declared: Declared, reverts: Reverts): ItemPlan {
  const plans = formerDatabases(catalog, declared.databases).map((name) =>
    catalog.databases.some((each) => each.name === name)
      ? planItems([existence(catalog, name, null)], catalog.applied, reverts)
      : planGone(catalog, name, declared),
  );
  return { statements: plans.flatMap((plan) => plan.statements), drift: plans.flatMap((plan) => plan.drift) };
}

function planDatabases(catalog: Catalog, databases: readonly DatabaseSpec[], reverts: Reverts): DatabasesPlan {
  const plans = databases.map((spec) => ({ spec, ...planDatabase(catalog, spec, reverts) }));
  return {
    begun: plans.flatMap((plan) => plan.begun),
    groups: plans.flatMap((plan) => plan.groups),
    drift: plans.flatMap((plan) => plan.drift),
    inside: plans.filter(({ is }) => is !== 'missing').map(({ spec }) => spec),
    made: new Set(plans.filter(({ is }) => is === 'made').map(({ spec }) => spec.name)),
  };
}

/** Of a database that is new itself, too. */
function hasNewGroups(catalog: Catalog, database: string): boolean {
  const isThere = catalog.databases.some(({ name }) => name === database);
  return (
    !isThere || (['read', 'write'] as const).some((may) => findRole(catalog, groupRole(database, may)) === undefined)
  );
}

/** Whoever used a database goes with it when it is dropped. */
function planUse(catalog: Catalog, applications: readonly ApplicationRole[], made: ReadonlySet<string>): string[] {
  return applications
    .map(({ name, database }) => ({ database, item: `application ${name}` }))
    .filter((key) => made.has(key.database) || !catalog.applied.has(keyOf(key)))
    .map((key) => record(key, 'declared'));
}

/** An earlier version made applications act as the owner by a setting of their own. */
function formerSettings(catalog: Catalog, applications: readonly ApplicationRole[]): string[] {
  return applications.flatMap(({ name }) =>
    (findRole(catalog, name)?.setRoleIn ?? []).map(
      (database) => `ALTER ROLE ${q(name)} IN DATABASE ${q(database)} RESET role`,
    ),
  );
}

/** What is unfit is told, and left as it is. */
export function planDatabaseChanges(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
  reverts: Reverts = () => false,
): DatabasePlan {
  const fit = fitRoles(catalog, databases, applications, reverts);
  const names = new Set(fit.applications.map(({ name }) => name));
  const owners = [...new Set(fit.databases.map(({ owner }) => owner))].filter((owner) => !names.has(owner));
  const { closing, opening } = planLogins(catalog, { databases, applications }, fit);
  const former = planFormer(catalog, { databases, applications }, reverts);
  const declared = planDatabases(catalog, fit.databases, reverts);
  const memberships = planMemberships(catalog, fit.databases, fit.applications, reverts, fit.left);
  const byHand = planItems(
    [
      ...attributeItems(catalog),
      ...otherMemberships(catalog, { databases, applications }),
      ...loginsByHand(catalog, { databases, applications }),
    ],
    catalog.applied,
    reverts,
  );
  return {
    closing: [...closing, ...former.statements],
    groups: [
      // First, since what is undone here may have made a role unfit.
      ...each(byHand.statements),
      ...each(declared.begun),
      ...each(owners.flatMap((owner) => planRole(catalog, owner, roleComments.owner))),
      ...each(planGroups(catalog, fit.databases)),
      ...each([...names].flatMap((name) => planRole(catalog, name, roleComments.application))),
      ...declared.groups,
      ...each(memberships.statements),
      ...each(planUse(catalog, fit.applications, declared.made)),
      ...each(formerSettings(catalog, fit.applications)),
    ],
    inside: declared.inside,
    newGroups: new Set(fit.databases.map(({ name }) => name).filter((name) => hasNewGroups(catalog, name))),
    opening,
    drift: [...declared.drift, ...memberships.drift, ...byHand.drift, ...former.drift],
    troubles: fit.troubles,
    left: fit.left,
  };
}
