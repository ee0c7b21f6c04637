/**
 * What stands in an application's files. Pure.
 *
 * Invariant: every form leads to the same pooler by the same login, `<app>` to the primary and `<app>-ro` to the standbys.
 * Without TLS: the pooler is on the application's own host. Values need no quoting in any form: that is for whoever chooses
 * names and passwords to hold.
 */
import type { ClientLogin } from '../ports/client-logins.ts';
import type { PoolerConnection } from './pooler-connection.ts';

/** In an application's directory. */
export const fileNames = {
  service: 'pg_service.conf',
  passfile: 'pgpass',
  environment: 'env',
  json: 'connection.json',
  /** The one file in it that is no secret. */
  authority: 'ca.crt',
};

/** With its password, or without: then the passfile holds it. */
export type Login = PoolerConnection & { readonly password: string | null };

const notice = '# Written by understudy; changes made here are lost.\n';

/** The aliases, the one that writes first. */
function aliases({ write, read }: PoolerConnection): readonly string[] {
  return [write, read].filter((alias) => alias !== null);
}

/** A connection service file, without those of single nodes (libpq documentation 34.17): `PGSERVICEFILE=… psql service=shop`. */
export function serviceText(login: Login): string {
  const sections = aliases(login).map((alias) =>
    [
      `[${alias}]`,
      `host=${login.host}`,
      `port=${login.port}`,
      `dbname=${alias}`,
      `user=${login.user}`,
      login.password === null ? `passfile=${login.passfile}` : `password=${login.password}`,
      'sslmode=disable',
      '',
    ].join('\n'),
  );
  return `${notice}${sections.join('\n')}`;
}

/** A field of a passfile: colons and backslashes are escaped. */
const field = (text: string): string => text.replace(/[\\:]/g, '\\$&');

/** A passfile (libpq documentation 34.16), for TCP and for the socket; `alsoGood`: for who names that user. */
export function passfileText(login: Login & ClientLogin, alsoGood: ClientLogin | null = null): string {
  const logins = alsoGood === null ? [login] : [login, alsoGood];
  const lines = logins.flatMap(({ user, password }) =>
    [login.host, login.socketDirectory].flatMap((host) =>
      [...aliases(login), ...Object.values(login.nodes)].map((alias) =>
        [host, String(login.port), alias, user, password].map(field).join(':'),
      ),
    ),
  );
  return `${lines.join('\n')}\n`;
}

/**
 * Lines of `NAME=value` that systemd's EnvironmentFile, a shell, and the readers of `.env` files all take alike: no quotes,
 * no blanks, no `&`.
 */
export function environmentText(login: Login): string {
  const [first = login.user] = aliases(login);
  const lines: readonly (readonly [string, string])[] = [
    ['PGHOST', login.host],
    ['PGPORT', String(login.port)],
    ['PGUSER', login.user],
    ['PGDATABASE', first],
    login.password === null ? ['PGPASSFILE', login.passfile] : ['PGPASSWORD', login.password],
    ['PGSSLMODE', 'disable'],
    ['DATABASE_URL', plainUri(login, first)],
    ...(login.read === null ? [] : [['DATABASE_URL_RO', plainUri(login, login.read)] as const]),
  ];
  return `${notice}${lines.map(([name, value]) => `${name}=${value}\n`).join('')}`;
}

/** With the password in it, where there is one: other drivers than libpq know no passfile. */
function plainUri({ host, password, port, user }: Login, database: string): string {
  const hostPart = host.includes(':') ? `[${host}]` : host;
  const secret = password === null ? '' : `:${encodeURIComponent(password)}`;
  return `postgresql://${encodeURIComponent(user)}${secret}@${hostPart}:${port}/${encodeURIComponent(database)}?sslmode=disable`;
}

export function jsonText(login: Login): string {
  return `${JSON.stringify(login, null, 2)}\n`;
}
