/**
 * The roles of PostgreSQL that databases and applications stand for (docs/adr/0025). Pure.
 *
 * - `<database>:read` and `<database>:write` are the groups that rights are granted to;
 * - `<application>` is a group too: it can't log in, and owns what the application makes, whichever node made it;
 * - `<application>@<node>:1` and `:2` log in, one of them at a time but for the moment of a rotation, and act as the
 *   application's group, or as the owner of its database where that is its right.
 *
 * Invariant: the names of different things differ. No declared name has a colon or an `@` in it, and what is too long for
 * PostgreSQL ends in a hash of the whole.
 */
import type { ApplicationName, ApplicationSpec, DatabaseName, NodeName, Rights, Spec } from './spec.ts';

/** PostgreSQL cuts longer names off (documentation 4.1.1). Declared names are ASCII: a letter is a byte. */
const longestName = 63;

export interface LoginRole {
  readonly name: string;
  /** `as-it-is`: nobody knows whether somebody logs in with it. */
  readonly mayLogIn: boolean | 'as-it-is';
}

/** What an application is at the server. */
export interface ApplicationRole {
  /** Of the group. */
  readonly name: ApplicationName;
  readonly database: DatabaseName;
  readonly rights: Rights;
  readonly logins: readonly LoginRole[];
}

/** The credential of an application on one node: each one that is made counts one more. */
export const firstGeneration = 1;

/** FNV-1a with 64 bits, as 16 letters. Whoever could choose names to collide declares the roles anyway. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (let index = 0; index < text.length; index += 1) {
    value = BigInt.asUintN(64, (value ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}

/** `ending` is kept whole. */
function fitted(beginning: string, ending: string): string {
  if (beginning.length + ending.length <= longestName) return beginning + ending;
  const tail = `~${hash(beginning)}${ending}`;
  return beginning.slice(0, longestName - tail.length) + tail;
}

/** Two take turns: a role has one verifier, so a new password is given to the one that rests. */
export function loginRole(application: ApplicationName, node: NodeName, generation: number): string {
  return fitted(`${application}@${node}`, `:${generation % 2 === 1 ? 1 : 2}`);
}

/** Both, whichever may log in now. */
export function loginRoles(application: ApplicationName, node: NodeName): readonly string[] {
  return [loginRole(application, node, 1), loginRole(application, node, 2)];
}

export function groupRole(database: DatabaseName, may: 'read' | 'write'): string {
  return fitted(database, `:${may}`);
}

/** An application of its owner's name is the owner. */
export function rightsOf(application: ApplicationSpec, owner: string): Rights {
  return application.name === owner ? 'owner' : application.rights;
}

/** Of one application on one node: the generations of credentials that may log in. */
export type OpenGenerations = (application: ApplicationName, node: NodeName) => readonly number[] | 'as-it-is';

export const onlyFirst: OpenGenerations = () => [firstGeneration];

/** Throws nothing: an application whose database is not declared has the rights that are written. */
export function applicationRoles(spec: Spec, openOf: OpenGenerations = onlyFirst): readonly ApplicationRole[] {
  return spec.applications.map((application): ApplicationRole => {
    const { name, database, nodes } = application;
    const owner = spec.databases.find((each) => each.name === database)?.owner;
    return {
      name,
      database,
      rights: owner === undefined ? application.rights : rightsOf(application, owner),
      logins: nodes.flatMap((node) => {
        const generations = openOf(name, node);
        const isKnown = generations !== 'as-it-is';
        const open = new Set(isKnown ? generations.map((generation) => loginRole(name, node, generation)) : []);
        return loginRoles(name, node).map(
          (login): LoginRole => ({ name: login, mayLogIn: isKnown ? open.has(login) : generations }),
        );
      }),
    };
  });
}
