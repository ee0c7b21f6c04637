/**
 * How a client reaches the servers themselves, past every pooler. Pure.
 *
 * Invariant: the server is verified by name while the connection goes to its address, so that DNS takes no part:
 * `postgresql.<domain>` stands in the certificate of every database node and in no other. No login in it: who may come in is
 * for pg_hba.conf to say.
 */

export interface Server {
  readonly address: string;
  readonly port: number;
}

export interface Direct {
  /** `postgresql.<domain>`. */
  readonly hostName: string;
  /** In the order in which a client tries them; never empty. */
  readonly servers: readonly Server[];
  /** `null`: for the client to say. */
  readonly database: string | null;
  readonly user: string | null;
  /** The authority's certificate, on the client's machine. */
  readonly ca: string;
  /** Whom the client wants: whoever writes, or a standby while there is one. */
  readonly purpose: 'write' | 'read';
}

/** `prefer-standby` is of libpq 14 and later (documentation 34.1.2); `read-write` of every version in use. */
export function sessionAttributes(purpose: Direct['purpose']): 'read-write' | 'prefer-standby' {
  return purpose === 'write' ? 'read-write' : 'prefer-standby';
}

/** Keywords and values of libpq, in this order. Lists of hosts, addresses and ports are of the same length. */
function parameters({
  ca,
  database,
  hostName,
  purpose,
  servers,
  user,
}: Direct): readonly (readonly [string, string])[] {
  const list = (of: (server: Server) => string | number): string => servers.map(of).join(',');
  return [
    ['host', list(() => hostName)],
    ['hostaddr', list(({ address }) => address)],
    ['port', list(({ port }) => port)],
    ...(database === null ? [] : [['dbname', database] as const]),
    ...(user === null ? [] : [['user', user] as const]),
    ['sslmode', 'verify-full'],
    ['sslrootcert', ca],
    ['target_session_attrs', sessionAttributes(purpose)],
  ];
}

/** Quoted where it must be (libpq documentation 34.1.1.1). */
export function directConninfo(direct: Direct): string {
  const value = (text: string) => (/^[^\s'\\]+$/.test(text) ? text : `'${text.replace(/[\\']/g, '\\$&')}'`);
  return parameters(direct)
    .map(([name, text]) => `${name}=${value(text)}`)
    .join(' ');
}

/** Hosts stand among the parameters, where `hostaddr` can go beside them (34.1.1.2). */
export function directUri(direct: Direct): string {
  const query = parameters(direct)
    .filter(([name]) => name !== 'dbname' && name !== 'user')
    .map(([name, text]) => `${name}=${encodeURIComponent(text).replaceAll('%2C', ',').replaceAll('%2F', '/')}`);
  const user = direct.user === null ? '' : `${encodeURIComponent(direct.user)}@`;
  return `postgresql://${user}/${encodeURIComponent(direct.database ?? '')}?${query.join('&')}`;
}
