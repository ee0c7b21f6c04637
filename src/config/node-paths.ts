/**
 * Paths of the node file that the programs of its node can't be told: no quoting helps. Tried with PostgreSQL 15 and
 * pgbouncer 1.18; they bear everything else (`%`, `#`, `;`, `\`, quotation marks, blanks inside).
 */
import type { NodeFile } from './node-file.ts';

export interface UnbearablePath {
  readonly path: readonly [string, string];
  readonly message: string;
}

export function unbearablePaths(node: Pick<NodeFile, 'directories' | 'role' | 'tls'>): readonly UnbearablePath[] {
  const { directories, role, tls } = node;
  if (role === 'witness') return []; // starts no program
  const found: UnbearablePath[] = [];
  const refuse = (path: UnbearablePath['path'], message: string): void => void found.push({ path, message });
  const { ca, certificate, key } = tls; // the sealing key is the agent's alone
  const all = { directories, tls: { ca, certificate, key } };
  for (const section of ['directories', 'tls'] as const) {
    for (const [name, value] of Object.entries(all[section])) {
      // initdb refuses it, and so does a line of postgresql.conf or pgbouncer.ini.
      if (typeof value === 'string' && /[\n\r\0]/.test(value))
        refuse([section, name], 'PostgreSQL and pgbouncer take no path with a line break');
    }
  }
  if (/\s$/.test(directories.run))
    refuse(['directories', 'run'], 'PostgreSQL and pgbouncer cut off the blank at its end');
  // postgresql.conf could quote it; in the `host` of a libpq client it always separates.
  if (directories.run.includes(','))
    refuse(['directories', 'run'], "PostgreSQL and its clients take ',' for the border between two directories");
  for (const [name, value] of Object.entries(all.tls)) {
    if (role === 'app' && /\s$/.test(value)) refuse(['tls', name], 'pgbouncer cuts off the blank at its end');
  }
  // Documentation 34.1.2, `sslkey`; a standby is such a client.
  if (role === 'database' && tls.key.includes(':'))
    refuse(['tls', 'key'], "PostgreSQL's client library takes what stands before ':' for the name of an SSL engine");
  return found;
}
