/**
 * Where a standby gets its WAL from: `primary_conninfo`, `primary_slot_name` and, while it reads from the archive, `restore_command`
 * in a file of their own, because they change with every move of the primary and the rest does not.
 *
 * The connection is verified by name (`sslmode=verify-full`) while it goes to the address, so DNS takes no part.
 * Rests on documentation 20.6.3 "Standby Servers" (both reloadable from version 13 on) and 34.1.2.
 */
import { join } from 'node:path';
import type { NodeName } from '../core/spec.ts';
import type { Upstream } from '../ports/postgres.ts';
import { conninfo, parseConninfo, settingLine } from './conninfo.ts';
import { keepFile } from './durable-files.ts';
import { replicationRole, type TlsFiles, upstreamFile } from './layout.ts';

/** The node's own name in `pg_stat_replication`, and how its certificates are verified and shown. */
export interface Reach {
  readonly node: NodeName;
  readonly domain: string;
  readonly tls: TlsFiles;
}

export function upstreamConninfo(
  upstream: Upstream,
  reach: Reach,
  as: { readonly user: string; readonly dbname?: string } = { user: replicationRole },
): string {
  return conninfo({
    host: upstream.hostName,
    hostaddr: upstream.address,
    port: upstream.port,
    ...as,
    application_name: reach.node,
    sslmode: 'verify-full',
    sslrootcert: reach.tls.ca,
    sslcert: reach.tls.certificate,
    sslkey: reach.tls.key,
    // Without it libpq asks for Kerberos first, one round trip more.
    gssencmode: 'disable',
    connect_timeout: 3,
    // A vanished host is noticed by the kernel, not by TCP's quarter of an hour.
    keepalives_idle: 2,
    keepalives_interval: 1,
    keepalives_count: 3,
    tcp_user_timeout: 5_000,
  });
}

/** The node that a conninfo names; `null` when it names none of this domain. */
export function upstreamNode(text: string, domain: string): NodeName | null {
  const host = parseConninfo(text)?.get('host');
  const ending = `.${domain}`;
  return host?.endsWith(ending) === true ? host.slice(0, -ending.length) : null;
}

export interface Followed {
  readonly upstream: Upstream;
  readonly slot: string;
  /** Reads from the archive, too; `null`: it streams alone. */
  readonly restoreCommand: string | null;
}

/** Without an archive `restore_command` is what no other file sets: empty. Answers whether the file changed. */
export function writeUpstream(directory: string, as: Followed | null, reach: Reach): Promise<boolean> {
  const lines =
    as === null
      ? [settingLine('primary_conninfo', ''), settingLine('primary_slot_name', '')]
      : [
          settingLine('primary_conninfo', upstreamConninfo(as.upstream, reach)),
          settingLine('primary_slot_name', as.slot),
          ...(as.restoreCommand === null ? [] : [settingLine('restore_command', as.restoreCommand)]),
        ];
  return keepFile(join(directory, upstreamFile), `${lines.join('\n')}\n`);
}
