/**
 * pgbouncer.ini: a pure function of what is wanted (pgbouncer documentation, "config").
 *
 * Invariant: towards the server every connection is TLS with the certificate verified by address, and shows this node's own;
 * no password stands in this file (server-logins.ts). Refuses names that pgbouncer 1.18 can't read: its keys
 * take letters, digits and `_.-` only, and have no quoting.
 */
import { dispensableMark } from '../core/local-postgres.ts';
import { type TlsPolicy, tlsLimits } from '../core/tls-policy.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PoolerAlias, PoolerConfiguration, PoolerGate } from '../ports/pooler.ts';
import { isAtLeast, type PgbouncerVersion } from './version.ts';

export interface FilePlaces {
  readonly userlist: string;
  readonly access: string;
  readonly pidFile: string;
  readonly socketDirectory: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly version: PgbouncerVersion;
}

const keyPattern = /^[A-Za-z0-9_.-]+$/;

function key(text: string): string {
  if (keyPattern.test(text) && text !== 'pgbouncer') return text;
  throw new UnderstudyError('CONFIG_INVALID', `pgbouncer can't have a database named ${JSON.stringify(text)}`, {
    hint: 'use letters, digits, hyphens and underscores for the names of applications',
  });
}

/** A value of a connection string: in quotes, quotes doubled. */
function value(text: string): string {
  if (/[\r\n\0]/.test(text))
    throw new UnderstudyError('CONFIG_INVALID', 'a name of a database or role has a line break');
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Before 1.25 a list of hosts fails verification: the whole list is taken for the certificate's name (tried on 1.18,
 * read in 1.24, fixed by pull request 1303). Those versions get the first address only.
 */
function hosts(alias: PoolerAlias, places: FilePlaces, gate: PoolerGate): string {
  // A new process has no pause state: it is paused before it learns the real addresses, and until then this directory,
  // which has no socket, refuses at once.
  if (alias.writes && !alias.standsIn && gate === 'shut') return '/nonexistent';
  const [first] = alias.addresses;
  if (first === undefined) throw new UnderstudyError('CONFIG_INVALID', `alias ${alias.name} has no address`);
  return isAtLeast(places.version, 1, 25) ? alias.addresses.join(',') : first;
}

/** Nobody waits for what these sessions do: see openTransactions in postgres/sessions.ts. */
const dispensable = `select pg_try_advisory_lock_shared(${dispensableMark.classId}, ${dispensableMark.objectId})`;

/** A standby refuses writes by itself, until it is promoted; this refuses them wherever it is. */
const readOnlyQuery = 'set default_transaction_read_only to on';

function databaseLine(alias: PoolerAlias, places: FilePlaces, gate: PoolerGate): string {
  const target = `host=${hosts(alias, places, gate)} port=${alias.port}`;
  const login = `dbname=${value(alias.database)} user=${value(alias.role)} pool_size=${alias.poolSize}`;
  return `${key(alias.name)} = ${target} ${login}${sessionParts(alias)}`;
}

function sessionParts(alias: PoolerAlias): string {
  // A session pool forgets with each client what was set when it connected.
  if (alias.ofOneNode) return ` pool_mode=transaction connect_query=${value(`${readOnlyQuery}; ${dispensable}`)}`;
  return alias.standsIn ? ` connect_query=${value(readOnlyQuery)}` : '';
}

function protocols(policy: TlsPolicy): string {
  return tlsLimits(policy).minVersion === 'TLSv1.3' ? 'tlsv1.3' : 'tlsv1.2,tlsv1.3';
}

function settings(
  configuration: PoolerConfiguration,
  places: FilePlaces,
): readonly (readonly [string, string | number])[] {
  return [
    ['listen_addr', configuration.listenAddress],
    ['listen_port', configuration.port],
    ['unix_socket_dir', places.socketDirectory],
    ['pidfile', places.pidFile],
    // Who may open which alias, and how (client-access.ts).
    ['auth_type', 'hba'],
    ['auth_hba_file', places.access],
    ['auth_file', places.userlist],
    ['pool_mode', configuration.mode],
    ['max_client_conn', configuration.maxClients],
    ['query_wait_timeout', configuration.queryWaitTimeoutS],
    // Set for moments at the console (stranded.ts): whatever was left of that goes with every reload.
    ['query_timeout', 0],
    // A login cut short (by a pause, or a reload) marks its pool as failing for this long: keep it below any pause,
    // but not so small that hundreds of poolers besiege a server that is coming up.
    ['server_login_retry', 0.25],
    ['server_connect_timeout', 3],
    ['server_check_query', 'select 1'],
    ['server_check_delay', 10],
    ['server_lifetime', 3600],
    ['server_idle_timeout', 600],
    // After a repoint, session pools leave the old server at the end of the transaction, not of the session.
    ['server_fast_close', 1],
    // Whoever asks for TLS gets it; client-access.ts says who must. No certificate is needed, and one that is shown
    // all the same must be of the cluster's authority (tls_config_verify_client_optional in pgbouncer's source).
    ['client_tls_sslmode', 'allow'],
    ['client_tls_ca_file', places.tls.ca],
    ['client_tls_cert_file', places.tls.certificate],
    ['client_tls_key_file', places.tls.key],
    ['client_tls_protocols', protocols(configuration.tls.clients)],
    ['client_tls_ciphers', tlsLimits(configuration.tls.clients).ciphers],
    ['server_tls_sslmode', 'verify-full'],
    ['server_tls_ca_file', places.tls.ca],
    ['server_tls_cert_file', places.tls.certificate],
    ['server_tls_key_file', places.tls.key],
    ['server_tls_protocols', protocols(configuration.tls.servers)],
    ['server_tls_ciphers', tlsLimits(configuration.tls.servers).ciphers],
    // A vanished host answers nothing: unacknowledged data ends the connection after 5 s, silence after 6. The first
    // probe goes out at 5 s, and the next look, a second later, finds tcp_user_timeout exceeded: that counts instead of
    // tcp_keepcnt (tcp(7), TCP_USER_TIMEOUT; tcp_keepalive_timer in Linux's source), with which it would be 8 s.
    ['tcp_user_timeout', 5_000],
    ['tcp_keepalive', 1],
    ['tcp_keepidle', 5],
    ['tcp_keepintvl', 1],
    ['tcp_keepcnt', 3],
    // Sent by JDBC and Go drivers, and harmless to drop. Anything else would be dropped silently: refused instead.
    ['ignore_startup_parameters', 'extra_float_digits'],
    ['log_connections', 0],
    ['log_disconnections', 0],
    ['log_stats', 0],
    ...(isAtLeast(places.version, 1, 21) ? [['max_prepared_statements', 200] as const] : []),
  ];
}

/** Throws CONFIG_INVALID for names that can't be written. */
export function renderConfiguration(configuration: PoolerConfiguration, places: FilePlaces, gate: PoolerGate): string {
  const databases = configuration.aliases.map((alias) => databaseLine(alias, places, gate));
  const lines = settings(configuration, places).map(([name, setting]) => `${name} = ${setting}`);
  return `; written by understudy; changes made here are lost\n[databases]\n${databases.join('\n')}\n\n[pgbouncer]\n${lines.join('\n')}\n`;
}
