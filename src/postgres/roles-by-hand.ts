/**
 * What somebody gave roles of this product by hand, beside attributes: memberships in roles of others; and roles that he made
 * himself to log in with, where their names are of the kind that this product gives. Pure.
 *
 * Invariant: told, and left as it is until somebody asks to have it undone. Who is a member of our groups is not looked at:
 * people are let in by that (docs/databases.md). Nor are roles that somebody else made and that a declaration names.
 */
import pg from 'pg';
import { type ApplicationRole, groupRole } from '../core/application-roles.ts';
import type { DatabaseSpec } from '../core/spec.ts';
import type { Item } from './item-plan.ts';
import { replicationRole, rewindRole } from './layout.ts';
import { endSessions } from './login-plan.ts';
import { knownGroups } from './membership-plan.ts';
import { isOurs } from './role-attributes.ts';
import { type Catalog, type CatalogRole, findRole, roleComments } from './role-catalog.ts';

const q = pg.escapeIdentifier;

/** What predefined roles let their members do (documentation 22.5). */
const predefined: Readonly<Record<string, string>> = {
  pg_read_all_data: 'reads every table',
  pg_write_all_data: 'changes every table',
  pg_execute_server_program: 'runs programs on the server, and so may do anything',
  pg_write_server_files: 'writes files of the server, and so may do anything',
  pg_read_server_files: 'reads files of the server',
  pg_signal_backend: 'ends sessions of others',
  pg_monitor: 'reads what others do',
};

function reachedFrom(catalog: Catalog, group: string): ReadonlySet<string> {
  const reached = new Set([group]);
  // A set is walked to its end, also while it grows.
  for (const name of reached) for (const next of findRole(catalog, name)?.memberOf ?? []) reached.add(next);
  return reached;
}

/** What a member may do by it, as people say it; a superuser's first of all. By SET ROLE he has its attributes, too. */
function powersOf(catalog: Catalog, group: string): readonly string[] {
  const powers = [...reachedFrom(catalog, group)].flatMap((name) => {
    const by = name === group ? '' : ` as ${name}`;
    const attributes = findRole(catalog, name)?.attributes ?? [];
    if (attributes.includes('SUPERUSER')) return [`a superuser${by}: may do anything`];
    const words = [...attributes, ...(Object.hasOwn(predefined, name) ? [predefined[name] ?? ''] : [])];
    return words.map((word) => `${word}${by}`);
  });
  const superuser = powers.filter((power) => power.startsWith('a superuser'));
  return superuser.length > 0 ? superuser.slice(0, 1) : powers;
}

function told(catalog: Catalog, group: string): string {
  const powers = powersOf(catalog, group);
  return powers.length === 0 ? group : `${group} (${powers.join('; ')})`;
}

interface Declared {
  readonly databases: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationRole[];
}

/** What a role has its memberships in, without anybody's hand; `null`: nobody is to say. */
function expectedGroups(catalog: Catalog, { databases, applications }: Declared): (role: CatalogRole) => Set<string> {
  const known = knownGroups(catalog, databases, applications);
  const readers = new Map(databases.map(({ name }) => [groupRole(name, 'write'), groupRole(name, 'read')]));
  const owned = new Map(applications.flatMap(({ name, logins }) => logins.map((login) => [login.name, name])));
  const commented = (comment: string) =>
    new Set(catalog.roles.filter((each) => each.comment === comment).map(({ name }) => name));
  const [groups, ours] = [commented(roleComments.group), commented(roleComments.application)];
  return ({ name, comment }) => {
    if (comment === roleComments.login) {
      const application = owned.get(name);
      return application === undefined ? ours : new Set([application]);
    }
    if (comment !== roleComments.group) return known;
    const isDeclared = databases.some((each) => name === groupRole(each.name, 'read')) || readers.has(name);
    return isDeclared ? new Set([readers.get(name) ?? '']) : groups;
  };
}

/** Of owners, groups, applications and logins of ours. */
export function otherMemberships(catalog: Catalog, declared: Declared): readonly Item[] {
  const expected = expectedGroups(catalog, declared);
  return catalog.roles.filter(isOurs).map((role) => {
    const usual = expected(role);
    const groups = [...new Set(role.memberOf)].filter((group) => !usual.has(group)).sort();
    const name = `other memberships of ${role.name}`;
    return {
      database: '',
      item: name,
      name,
      declared: null,
      actual: groups.length === 0 ? null : groups.map((group) => told(catalog, group)).join(', '),
      isDefault: true,
      isUndeclarable: true,
      change: groups.map((group) => `REVOKE ${q(group)} FROM ${q(role.name)}`),
    };
  });
}

/** `shop@web0:1`, and what core/application-roles.ts makes of longer names; `shop:read`; and roles of the cluster itself. */
const likeOurs = [/^[^@:]+@[^@:]+:\d+$/, /~[0-9a-f]{16}:\d+$/, /:(?:read|write)$/, /^understudy_/];

function looksLikeOurs({ name }: CatalogRole): boolean {
  return name !== replicationRole && name !== rewindRole && likeOurs.some((pattern) => pattern.test(name));
}

/** Others are nobody's business here; those with a declared name become what was declared (login-plan.ts). */
export function loginsByHand(catalog: Catalog, { applications }: Declared): readonly Item[] {
  const declared = new Set(applications.flatMap(({ logins }) => logins.map(({ name }) => name)));
  const isOpen = (role: CatalogRole) => role.login && !isOurs(role) && looksLikeOurs(role);
  return catalog.roles
    .filter((role) => isOpen(role) && (role.privileged || !declared.has(role.name)))
    .map((role) => {
      const groups = role.memberOf.map((group) => `member of ${told(catalog, group)}`).sort();
      const name = `login ${role.name}`;
      return {
        database: '',
        item: name,
        name,
        declared: null,
        actual: ['LOGIN', ...role.attributes, ...groups].join(', '),
        isDefault: true,
        isUndeclarable: true,
        change: [`ALTER ROLE ${q(role.name)} NOLOGIN`],
        afterwards: [endSessions(role.name)],
      };
    });
}
