/**
 * Lines of the userlist by which pgbouncer logs in to servers.
 *
 * Here, and not as `password=` beside the alias, since up to 1.25 the SCRAM keys of a client that logged in take the place of
 * such a password, and every later login to the server fails (issue 1461; tried on 1.18). As pgbouncer takes whoever is
 * in the list for a client, too, client-access.ts admits none of these.
 */
import type { ApplicationName } from '../core/spec.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';

/** `null`: there is none, and that application alone is refused by the server. */
export type PasswordOf = (application: ApplicationName, generation: number) => string | null;

/** Passwords and roles have neither quotes nor backslashes (core/application-roles.ts; base64url). */
export function serverLogins({ aliases }: PoolerConfiguration, passwordOf: PasswordOf): string {
  const lines = aliases.flatMap(({ application, generation, role }) => {
    const password = passwordOf(application, generation);
    return password === null ? [] : [`"${role}" "${password}"\n`];
  });
  return [...new Set(lines)].join('');
}
