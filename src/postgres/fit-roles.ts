/**
 * Which declared databases and applications can be carried out as far as their roles are concerned. Pure.
 *
 * Invariant: a role that is unfit is left as it is, and so is what stands and falls with it; nothing else waits for it. What
 * is only taken away needs no fit role, and is settled without this.
 */
import type { ApplicationRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Reverts } from './item-plan.ts';
import { replicationRole, rewindRole, superuser } from './layout.ts';
import { attributesOf, isOurs } from './role-attributes.ts';
import { type Catalog, findRole } from './role-catalog.ts';

export interface Fit {
  readonly databases: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationRole[];
  /** Roles that are to be left as they are. */
  readonly left: ReadonlySet<string>;
  /** CONFIG_INVALID, one for each thing that is spared. */
  readonly troubles: readonly UnderstudyError[];
}

function refused(message: string): UnderstudyError {
  return new UnderstudyError('CONFIG_INVALID', message);
}

/** `null`: it may be an owner or an application. */
function unfitBecause(catalog: Catalog, name: string, reverts: Reverts): UnderstudyError | null {
  if (name === superuser || name === replicationRole || name === rewindRole || name.startsWith('pg_'))
    return refused(`${name} is a reserved role and can't be an owner or an application`);
  const role = findRole(catalog, name);
  // What is about to be undone stands in nobody's way.
  if (role?.privileged !== true || (isOurs(role) && reverts(attributesOf(name)))) return null;
  return refused(`the role ${name} is a superuser or may replicate; an owner or an application must not be one`);
}

/** What the declaration's own check says as well; here it stands for whoever did without. */
function misfit(
  { name, database, rights }: ApplicationRole,
  databases: readonly DatabaseSpec[],
): UnderstudyError | null {
  const owner = databases.find((each) => each.name === database)?.owner;
  if (owner === undefined) return refused(`no database ${database} is declared, and an application uses it`);
  const isLimited = owner === name ? rights !== 'owner' : databases.some((each) => each.owner === name);
  return isLimited ? refused(`${name} owns a database and can't be limited to less in ${database}`) : null;
}

export function fitRoles(
  catalog: Catalog,
  databases: readonly DatabaseSpec[],
  applications: readonly ApplicationRole[],
  reverts: Reverts,
): Fit {
  const troubles = new Map<string, UnderstudyError>();
  const left = new Set<string>();
  const isFit = (name: string): boolean => {
    const because = unfitBecause(catalog, name, reverts);
    if (because === null) return true;
    troubles.set(name, because);
    left.add(name);
    return false;
  };
  const fitDatabases = databases.filter(({ owner }) => isFit(owner));
  const fitApplications = applications.filter((application) => {
    const { name, database } = application;
    if (!isFit(name)) return false;
    const because = misfit(application, databases);
    if (because !== null) troubles.set(`${name} in ${database}`, because);
    const isSpared = !fitDatabases.some((each) => each.name === database);
    if (isSpared) left.add(name);
    return because === null && !isSpared;
  });
  return { databases: fitDatabases, applications: fitApplications, left, troubles: [...troubles.values()] };
}
