/**
 * Who may connect over a server's Unix socket, as lines of pg_hba.conf and pg_ident.conf. Pure.
 *
 * Invariant: nobody is trusted. The kernel says which operating system user asks, and those alone that are named become the superuser.
 */

export const superuser = 'postgres';

/**
 * A word in pg_hba.conf or pg_ident.conf. Quotes take the meaning from keywords (`all`, `replication`), `+` and `@`, but
 * not from a leading `/`, which makes a regular expression (documentation 21.1, from version 16 on in both files).
 */
export function word(text: string): string {
  if (/["\n\r\0]|^\//.test(text)) throw new RangeError(`can't be written in pg_hba.conf: ${JSON.stringify(text)}`);
  return `"${text}"`;
}

/** `role`: one of which `localUser` has a line. */
export function localLine(databases: string, role: string): string {
  return `local ${databases} ${word(role)} peer map=understudy`;
}

export function localUser(osUser: string, role: string): string {
  return `understudy ${word(osUser)} ${word(role)}`;
}
