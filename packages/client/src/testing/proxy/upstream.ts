/** The one real server, and how its sockets are reached: by TCP, or by a Unix socket as `pg` names them. */
import { connect, type Socket } from 'node:net';
import pg from 'pg';
import { OptionError } from '../../errors.ts';

export interface Upstream {
  /** For connections of the kit itself. */
  readonly config: pg.ClientConfig;
  /** What a client says of itself to get in through a proxy. */
  readonly login: pg.ClientConfig;
  connect(): Socket;
}

/** Takes the environment's PGHOST and others as `pg` does. Throws OptionError. */
export function upstreamOf(connection: string | pg.ClientConfig): Upstream {
  const config = typeof connection === 'string' ? { connectionString: connection } : connection;
  const { database, host, password, port, ssl, user } = new pg.Client(config);
  if (ssl) throw new OptionError('connection.ssl', 'false: the fake cluster speaks to its server without TLS');
  const { connectionString: _connectionString, ...given } = config;
  return {
    config,
    login: { ...given, user, database, password: given.password ?? password ?? undefined, ssl: false },
    connect: () => (host.startsWith('/') ? connect({ path: `${host}/.s.PGSQL.${port}` }) : connect({ host, port })),
  };
}
