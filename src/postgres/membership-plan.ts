/**
 * Who is a member of which group, as far as this product is concerned: one item for each owner and each application. Pure.
 *
 * Invariant: memberships in roles that this product doesn't know are left alone here; roles-by-hand.ts tells of them.
 */
import pg from 'pg';
import { type ApplicationRole, groupRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { record } from './applied-table.ts';
import { decideItem, type Item, type ItemPlan, type Reverts } from './item-plan.ts';
import { type Catalog, findRole, roleComments } from './role-catalog.ts';

const q = pg.escapeIdentifier;

/** The group that an application's rights come from; `null`: it is the owner. */
function groupOf({ name, database, rights }: ApplicationRole, owner: string | undefined): string | null {
  if (name === owner) return null;
  return rights === 'owner' ? (owner ?? null) : groupRole(database, rights === 'rw' ? 'write' : 'read');
}

function wantedMemberships(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const owners = new Map(databases.map(({ name, owner }) => [name, owner]));
  const former = catalog.roles.filter(
    ({ comment }) => comment === roleComments.application || comment === roleComments.owner,
  );
  const wanted = new Map(former.map(({ name }) => [name, new Set<string>()]));
  const add = (role: string, groups: readonly string[]): void => {
    wanted.set(role, new Set([...(wanted.get(role) ?? []), ...groups]));
  };
  for (const { name, owner } of databases) add(owner, [groupRole(name, 'write')]);
  for (const application of applications) {
    const { name, database, rights } = application;
    const owner = owners.get(database);
    const group = groupOf(application, owner);
    add(name, group === null ? [] : [group]);
    // What a writer makes, the owner may change.
    if (owner !== undefined && rights === 'rw') add(owner, [name]);
  }
  return wanted;
}

/** Memberships of owners and applications in these are settled by what is declared. */
export function knownGroups(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
): Set<string> {
  const groups = databases.flatMap(({ name }) => [groupRole(name, 'read'), groupRole(name, 'write')]);
  const former = catalog.roles.filter(({ comment }) => comment === roleComments.group).map(({ name }) => name);
  return new Set([...wantedMemberships(catalog, databases, applications).keys(), ...groups, ...former]);
}

function told(groups: Iterable<string>): string {
  return [...groups].sort().join(', ') || 'none';
}

interface Membership extends Item {
  readonly role: string;
  readonly revokes: readonly string[];
  readonly grants: readonly string[];
}

function memberships(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
): readonly Membership[] {
  const wanted = wantedMemberships(catalog, databases, applications);
  const known = knownGroups(catalog, databases, applications);
  return [...wanted].map(([name, into]) => {
    const role = findRole(catalog, name);
    const memberOf = (role?.memberOf ?? []).filter((group) => known.has(group));
    return {
      role: name,
      database: '',
      item: `role ${name}`,
      name: `memberships of ${name}`,
      declared: told(into),
      actual: told(memberOf),
      // What was applied to one of the same name says nothing of a new role, nor of one whose groups are new.
      isNew: role === undefined || [...into].some((group) => findRole(catalog, group) === undefined),
      change: [],
      revokes: memberOf.filter((group) => !into.has(group)).map((group) => `REVOKE ${q(group)} FROM ${q(name)}`),
      grants: [...into].filter((group) => !memberOf.includes(group)).map((group) => `GRANT ${q(group)} TO ${q(name)}`),
    };
  });
}

/** All in one transaction, and first all that goes: members of each other there can't be. Those of `left` stay as they are. */
export function planMemberships(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
  reverts: Reverts,
  left: ReadonlySet<string> = new Set(),
): ItemPlan {
  const items = memberships(catalog, databases, applications).filter(({ role }) => !left.has(role));
  const decided = items.map((item) => ({ item, decision: decideItem(item, catalog.applied, reverts) }));
  const changing = decided.filter(({ decision }) => decision === 'change').map(({ item }) => item);
  const recorded = decided.filter(({ decision }) => decision === 'change' || decision === 'record');
  const statement = [
    ...changing.flatMap(({ revokes }) => revokes),
    ...changing.flatMap(({ grants }) => grants),
    ...recorded.map(({ item }) => record(item, item.declared)),
  ].join('; ');
  return {
    statements: statement === '' ? [] : [statement],
    drift: decided.flatMap(({ decision }) => (typeof decision === 'object' && decision !== null ? [decision] : [])),
  };
}
