/**
 * How each server is reached, from the pool's options. Reads the files of an application, connects to nobody.
 *
 * Invariant: what a server does not say is as for the pool itself; options that are ours don't reach `pg`.
 */
import pg from 'pg';
import { OptionError } from './errors.ts';
import type { ClusterPoolOptions, ServerOptions } from './options.ts';
import { ApplicationConnection, type ConnectionFile } from './servers/connection-file.ts';
import type { Guard } from './servers/server-connections.ts';

export interface ServerConfig {
  readonly name: string;
  readonly datacenter: string | null;
  readonly guard: Guard;
  readonly pool: pg.PoolConfig;
}

export interface Configs {
  /** Of the pool itself: whoever may be written to. */
  readonly pool: pg.PoolConfig;
  readonly servers: readonly ServerConfig[];
  readonly topologySocket: string | null;
}

const guards: readonly string[] = ['pooler', 'startup', 'transaction'] satisfies Guard[];

/** A reader must not wait for ever for a server that does not answer its first packet. */
const connectWithinMs = 2_000;

/** Throws OptionError. */
export function configsOf(options: ClusterPoolOptions): Configs {
  const own = withoutOurs(options);
  const application = options.application === undefined ? null : new ApplicationConnection(options.application);
  const pool = application === null ? own : inApplication(own, application, ({ write }) => write);
  const nodes = application === null ? [] : Object.keys(application.current().nodes);
  const ofNodes = nodes.map((name): ServerConfig => {
    const config = inApplication(withPatience(own), application, ({ nodes: aliases }) => aliases[name] ?? name);
    return { name, datacenter: null, guard: 'pooler', pool: config };
  });
  const declared = Object.entries(options.replicas ?? {}).map(([name, server]) => declaredServer(name, server, own));
  const twice = declared.find(({ name }) => nodes.includes(name));
  if (twice !== undefined)
    throw new OptionError(`replicas.${twice.name}`, 'left out: the application has a node of that name');
  const topologySocket =
    options.topologySocket === undefined ? (application?.current().topology ?? null) : options.topologySocket;
  return { pool, servers: [...ofNodes, ...declared], topologySocket };
}

function declaredServer(name: string, server: string | ServerOptions, own: pg.PoolConfig): ServerConfig {
  if (name === '' || name === 'primary') throw new OptionError('replicas', "names of your own, not '' or 'primary'");
  if (typeof server === 'string') {
    const pool = withPatience(withoutUrl({ ...withoutUrl(own), connectionString: server }));
    return { name, datacenter: null, guard: 'startup', pool };
  }
  if (typeof server !== 'object' || server === null)
    throw new OptionError(`replicas.${name}`, 'a URL or options of pg');
  const { datacenter = null, guard = 'startup', ...rest } = server;
  if (!guards.includes(guard)) throw new OptionError(`replicas.${name}.guard`, `one of ${guards.join(', ')}`);
  return { name, datacenter, guard, pool: withPatience(withoutUrl({ ...withoutUrl(own), ...rest })) };
}

/** A URL would win over whatever is said beside it, and what it leaves out `pg` takes for empty. */
function withoutUrl({ connectionString, ...beside }: pg.PoolConfig): pg.PoolConfig {
  if (connectionString === undefined) return beside;
  const url = urlOf(connectionString);
  // Such as a socket's path: only `pg` itself knows what that says.
  if (url === null) return { ...beside, connectionString };
  const said: Readonly<Record<string, string | undefined>> = Object.fromEntries(url.searchParams);
  const { database, host, password, port, ssl, user } = new pg.Client({ connectionString });
  const isEncrypted = Object.keys(said).some((name) => name.startsWith('ssl'));
  return {
    ...beside,
    ...said,
    host,
    port,
    ...(isEncrypted ? { ssl } : { ssl: beside.ssl }),
    ...(url.username === '' && said.user === undefined ? { user: beside.user } : { user }),
    ...(url.password === '' && said.password === undefined ? { password: beside.password } : { password }),
    ...(url.pathname.length < 2 ? { database: beside.database } : { database }),
  };
}

function urlOf(text: string): URL | null {
  return /^postgres(ql)?:/.test(text) && URL.canParse(text) ? new URL(text) : null;
}

function withPatience(config: pg.PoolConfig): pg.PoolConfig {
  return { connectionTimeoutMillis: connectWithinMs, ...config };
}

/** Each new connection takes login and alias as the files have them then. */
function inApplication(
  own: pg.PoolConfig,
  application: ApplicationConnection | null,
  alias: (file: ConnectionFile) => string,
): pg.PoolConfig {
  if (application === null) return own;
  class ApplicationClient extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      const file = application?.current();
      const given = typeof config === 'string' ? {} : config;
      super(file === undefined ? given : { ...given, ...loginOf(file), database: alias(file) });
    }
  }
  const file = application.current();
  return { ...own, ...loginOf(file), database: alias(file), Client: ApplicationClient };
}

function loginOf({ host, password, port, user }: ConnectionFile): pg.ClientConfig {
  return { host, port, user, ...(password === null ? {} : { password }) };
}

function withoutOurs(options: ClusterPoolOptions): pg.PoolConfig {
  const {
    application: _application,
    causalWaitMs: _causalWaitMs,
    consistency: _consistency,
    datacenter: _datacenter,
    deadlineMs: _deadlineMs,
    maxLagBytes: _maxLagBytes,
    maxLagMs: _maxLagMs,
    onReadOnly: _onReadOnly,
    outcomeTable: _outcomeTable,
    probeEveryMs: _probeEveryMs,
    readDeadlineMs: _readDeadlineMs,
    replicas: _replicas,
    router: _router,
    runtime: _runtime,
    topologySocket: _topologySocket,
    ...own
  } = options;
  return own;
}
