/**
 * What must be done so that exactly those logins are open that are declared: pure, from the catalog to statements.
 *
 * Invariant: a login acts as one group, by a setting that is there before it may log in. Each statement is one
 * transaction and may be repeated. Closing rests on nothing but what is there and what is declared: whoever is no longer
 * declared is out at once. A session is ended once it is visible that its login may not log in.
 */
import pg from 'pg';
import type { ApplicationRole, LoginRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import { type Catalog, type CatalogRole, findRole, roleComments } from './role-catalog.ts';

const q = pg.escapeIdentifier;
const text = pg.escapeLiteral;

export interface LoginPlan {
  /** Before anything that may fail; with the sessions that are open. */
  readonly closing: readonly string[];
  /** When every group and right is there. */
  readonly opening: readonly string[];
}

interface WantedLogin extends LoginRole {
  readonly application: string;
  /** As whom it acts. */
  readonly actsAs: string;
}

function wantedLogins({ applications, databases }: Declared): readonly WantedLogin[] {
  return applications.flatMap(({ name, database, rights, logins }) => {
    const owner = databases.find((each) => each.name === database)?.owner;
    const actsAs = rights === 'owner' ? (owner ?? name) : name;
    return logins.map((login) => ({ ...login, application: name, actsAs }));
  });
}

interface Declared {
  readonly databases: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationRole[];
}

/** Logins of ours that nobody wants open, and the applications' own of an earlier version. */
function isRetired(role: CatalogRole, wanted: ReadonlyMap<string, LoginRole>): boolean {
  if (!role.login || role.privileged) return false;
  if (role.comment === roleComments.application) return true;
  return role.comment === roleComments.login && (wanted.get(role.name)?.mayLogIn ?? false) === false;
}

export function endSessions(name: string): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${text(name)}`;
}

/** A session goes on as whom it began: a login that is to act as another is closed, and opened again. */
function isMoved(role: CatalogRole | undefined, { actsAs }: WantedLogin): boolean {
  return role !== undefined && role.setRole !== null && role.setRole !== actsAs;
}

/** Somebody made it anew that had dropped it: without our comment nothing would give it a password (logins.ts). */
function isAdopted({ comment, privileged }: CatalogRole): boolean {
  return comment !== roleComments.login && !privileged;
}

function opened(catalog: Catalog, login: WantedLogin): string | null {
  const { name, application, actsAs, mayLogIn } = login;
  const found = findRole(catalog, name);
  const shallLogIn = mayLogIn === 'as-it-is' ? found?.login === true : mayLogIn;
  const others = (found?.memberOf ?? []).filter((group) => group !== application);
  const parts = [
    ...(found === undefined
      ? [`CREATE ROLE ${q(name)} NOLOGIN`, `COMMENT ON ROLE ${q(name)} IS ${text(roleComments.login)}`]
      : isAdopted(found)
        ? [`COMMENT ON ROLE ${q(name)} IS ${text(roleComments.login)}`]
        : []),
    ...others.map((group) => `REVOKE ${q(group)} FROM ${q(name)}`),
    ...(found?.memberOf.includes(application) === true ? [] : [`GRANT ${q(application)} TO ${q(name)}`]),
    ...(found?.setRole === actsAs ? [] : [`ALTER ROLE ${q(name)} SET role = ${text(actsAs)}`]),
    ...(shallLogIn && (found?.login !== true || isMoved(found, login)) ? [`ALTER ROLE ${q(name)} LOGIN`] : []),
  ];
  return parts.length === 0 ? null : parts.join('; ');
}

/** `fit`: of what is declared, what can be carried out; the other logins stay as they are as long as they are declared. */
export function planLogins(catalog: Catalog, declared: Declared, fit: Declared): LoginPlan {
  const wanted = new Map(declared.applications.flatMap(({ logins }) => logins.map((login) => [login.name, login])));
  const retired = catalog.roles.filter((role) => isRetired(role, wanted)).map(({ name }) => name);
  const logins = wantedLogins(fit);
  const moved = logins.filter((login) => {
    const found = findRole(catalog, login.name);
    return found?.login === true && isMoved(found, login);
  });
  const closed = [...new Set([...retired, ...moved.map(({ name }) => name)])];
  return {
    closing: closed.flatMap((name) => [`ALTER ROLE ${q(name)} NOLOGIN`, endSessions(name)]),
    opening: logins.flatMap((login) => opened(catalog, login) ?? []),
  };
}
