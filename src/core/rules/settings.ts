/**
 * The server's configuration files, from the declaration: parameters, who may connect, and which certificate stands
 * for which role. Pure.
 *
 * Invariant: whoever comes over the network shows a certificate of the cluster's own authority, from the address that
 * is declared for that node, and becomes only the roles declared for it; an application's logins have a password besides, and
 * which of the two are open says the database. Others come as the declaration names them, over TLS, with a password or a
 * certificate of their own. No line says `trust`, none says plain `host`,
 * and PostgreSQL refuses what no line admits. Locally only the agent's own operating system user becomes the superuser.
 *
 * Parameters come in three layers: defaults (this product's opinion), the user's over them, and owned ones over both,
 * which the cluster can't work without (owned-parameters.ts).
 */
import { loginRoles } from '../application-roles.ts';
import {
  type ApplicationSpec,
  findNode,
  isDelayed,
  type NodeName,
  type NodeSpec,
  nodesOfRole,
  type Spec,
} from '../spec.ts';
import { postgresTls, tlsPolicyOf } from '../tls-policy.ts';
import { localLine, localUser, superuser, word } from './local-access.ts';
import { shellWord } from './server-command.ts';

/** Everything that is written to the server's own configuration files. */
export interface ServerConfiguration {
  readonly parameters: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf and pg_ident.conf, without comments. */
  readonly hba: readonly string[];
  readonly ident: readonly string[];
}

/** What only the node itself knows. Paths are absolute. */
export interface ServerFactsForSettings {
  readonly socketDirectory: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** The operating system user that the agent runs as. */
  readonly osUser: string;
  readonly memoryBytes: number;
  /**
   * What the present primary runs with, where a standby must have as much (documentation 27.4.3); empty on the primary
   * itself. A lowered value reaches the standbys when the primary has restarted with it.
   */
  readonly floor: Readonly<Record<string, number>>;
  /** The command line by which a segment, `%p`, is archived; `null`: nothing here can. */
  readonly archiveCommand: string | null;
  /** While this file is there the archiver is held back. */
  readonly archiveHold: string;
  /** `synchronous_standby_names`: on a standby those that it would be promoted with. */
  readonly syncNames: string;
}

const replicationRole = 'understudy_replication';
const rewindRole = 'understudy_rewind';
const mebibyte = 1024 * 1024;

/** This product's opinion; the declaration's parameters win over these. */
function defaultParameters(spec: Spec, facts: ServerFactsForSettings): Record<string, string> {
  const quarterMb = Math.floor(facts.memoryBytes / 4 / mebibyte);
  return {
    // A quarter of the memory is the documentation's advice (20.4.1); above 8 GiB the gain is small, and every stop
    // has to unmap it.
    shared_buffers: `${Math.max(128, Math.min(quarterMb, 8192))}MB`,
    effective_cache_size: `${Math.max(256, Math.floor((facts.memoryBytes * 0.6) / mebibyte))}MB`,
    max_connections: '200',
    // A switchover asks for a checkpoint beforehand, so the one at shutdown is small; between them WAL may grow.
    checkpoint_timeout: '5min',
    checkpoint_completion_target: '0.9',
    max_wal_size: '4GB',
    min_wal_size: '256MB',
    // Dirty pages are written ahead of time: fewer are left for the checkpoint at shutdown.
    bgwriter_delay: '50ms',
    bgwriter_lru_maxpages: '400',
    // A little for a standby whose slot was just made; the slots do the rest.
    wal_keep_size: '256MB',
    max_standby_streaming_delay: '30s',
    // Reads on a standby may be cancelled by the primary's vacuum; bloat on the primary would be everybody's burden.
    hot_standby_feedback: 'off',
    // Constant, since both need a restart: enough for every member's slot and a clone of each at once.
    max_replication_slots: '24',
    max_wal_senders: '24',
    log_checkpoints: 'on',
    log_lock_waits: 'on',
    log_autovacuum_min_duration: '10s',
    log_line_prefix: '%m [%p] %q%u@%d %a ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    // A client that vanished with its host holds locks for seconds, not for two hours.
    tcp_keepalives_idle: '5',
    tcp_keepalives_interval: '2',
    tcp_keepalives_count: '3',
    tcp_user_timeout: '10000',
    ...(spec.postgres.major >= 14 ? { client_connection_check_interval: '5s' } : {}),
  };
}

/**
 * Turned on and off by a restart alone. Where nothing is to be archived, and the server was not restarted yet, the command lets
 * its segments go; where something is, and nothing here can do it, they stay.
 */
function archiving({ backups }: Spec, { archiveCommand, archiveHold }: ServerFactsForSettings): Record<string, string> {
  if (backups === null) return { archive_mode: 'off', archive_command: '/bin/true' };
  const archive = archiveCommand === null ? 'exit 1' : `exec ${archiveCommand}`;
  return {
    archive_mode: 'on',
    archive_timeout: '60s',
    // 126 ends the archiver at once instead of having it try again (postgres/archiver.ts).
    archive_command: `if [ -e ${shellWord(archiveHold)} ]; then exit 126; fi; ${archive}`,
  };
}

/** What the cluster can't work without. */
function requiredParameters(spec: Spec, self: NodeSpec, facts: ServerFactsForSettings): Record<string, string> {
  return {
    listen_addresses: self.address,
    port: String(spec.postgres.port),
    unix_socket_directories: facts.socketDirectory,
    unix_socket_permissions: '0700',
    cluster_name: self.name,
    ssl: 'on',
    ssl_ca_file: facts.tls.ca,
    ssl_cert_file: facts.tls.certificate,
    ssl_key_file: facts.tls.key,
    ...postgresTls(tlsPolicyOf(spec.tls, 'postgresql'), spec.postgres.major),
    ...archiving(spec, facts),
    password_encryption: 'scram-sha-256',
    wal_level: 'replica',
    // Lets a former primary be rewound instead of copied anew.
    wal_log_hints: 'on',
    hot_standby: 'on',
    max_slot_wal_keep_size: `${spec.postgres.walBudgetMb}MB`,
    // A transaction may ask for more or less; the names say for whom it waits then (documentation 20.5.1).
    synchronous_commit: spec.durability.commit === 'sync' ? 'on' : 'local',
    synchronous_standby_names: facts.syncNames,
    // A crashed server comes back only through the agent, which holds the lease or doesn't.
    restart_after_crash: 'off',
    // And quickly: one call for the whole file system instead of one for each file, of which there may be 100,000 (seen:
    // 2.2 s of a 2.6 s outage of a small cluster). Kernels tell of failed writes by it since 5.8; Debian 12 has 6.1.
    ...(spec.postgres.major >= 14 ? { recovery_init_sync_method: 'syncfs' } : {}),
    recovery_target_timeline: 'latest',
    recovery_min_apply_delay: `${self.applyDelayMs ?? 0}ms`,
    // What it reads is of the past: the primary must not keep rows for it.
    ...(isDelayed(self) ? { hot_standby_feedback: 'off' } : {}),
    // A standby looks for its upstream again at once after a switchover, and says how far it is each second.
    wal_retrieve_retry_interval: '200ms',
    wal_receiver_status_interval: '1s',
    // A vanished peer is noticed; a slow one is not cut off.
    wal_receiver_timeout: '10s',
    wal_sender_timeout: '10s',
    // The agent reads the log of a standby that can't stream.
    lc_messages: 'C',
    logging_collector: 'off',
    log_destination: 'stderr',
  };
}

/**
 * Where a node's connections come from: `10.0.1.10/32`, `fd00::1/128`. From one loopback address to another the kernel
 * says 127.0.0.1, whichever the node's own is (a stage); the certificate still tells the nodes apart.
 */
function sources(address: string): readonly string[] {
  if (/^127\./.test(address)) return ['127.0.0.1/32', `${address}/32`];
  return [`${address}/${address.includes(':') ? 128 : 32}`];
}

/** The nodes on which an application runs; names that are not declared admit nobody. */
function applicationNodes(spec: Spec, application: ApplicationSpec): readonly NodeSpec[] {
  return application.nodes.flatMap((name) => findNode(spec, name) ?? []);
}

function hbaLines(spec: Spec, self: NodeSpec): readonly string[] {
  const lines = [
    localLine('all', superuser),
    // Of a delayed standby a copy is the past; `all` is no replication.
    ...(isDelayed(self) ? [localLine('replication', superuser)] : []),
    ...nodesOfRole(spec, 'database').flatMap((node) =>
      sources(node.address).flatMap((from) => [
        `hostssl replication ${word(replicationRole)} ${from} cert map=members`,
        // A rewind reads files by functions, over an ordinary connection.
        `hostssl ${word('postgres')} ${word(rewindRole)} ${from} cert map=rewinds`,
      ]),
    ),
    ...spec.applications.flatMap((application) =>
      applicationNodes(spec, application).flatMap((node) =>
        sources(node.address).flatMap((from) =>
          loginRoles(application.name, node.name).map(
            (login) =>
              `hostssl ${word(application.database)} ${word(login)} ${from} scram-sha-256 clientcert=verify-ca`,
          ),
        ),
      ),
    ),
    // Behind ours: the first line that fits decides.
    ...spec.postgres.hba.map(({ user, database, from, method }) => {
      const which = database === 'all' ? 'all' : word(database);
      return from === null ? localLine(which, user) : `hostssl ${which} ${word(user)} ${from} ${method}`;
    }),
  ];
  return [...new Set(lines)];
}

/** A certificate's common name is its node's. */
function identLines(spec: Spec, facts: ServerFactsForSettings): readonly string[] {
  const lines = [
    localUser(facts.osUser, superuser),
    ...spec.postgres.hba.filter(({ from }) => from === null).map(({ user }) => localUser(facts.osUser, user)),
    ...nodesOfRole(spec, 'database').flatMap((node) => [
      `members ${word(node.name)} ${word(replicationRole)}`,
      `rewinds ${word(node.name)} ${word(rewindRole)}`,
    ]),
  ];
  return [...new Set(lines)];
}

/** Throws `RangeError` when the node is not declared as a database node, or a name can't be written. */
export function serverConfiguration(spec: Spec, self: NodeName, facts: ServerFactsForSettings): ServerConfiguration {
  const node = findNode(spec, self);
  if (node?.role !== 'database') throw new RangeError(`${self} is not a database node`);
  const required = requiredParameters(spec, node, facts);
  const declared = Object.entries(spec.postgres.parameters).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const parameters = { ...defaultParameters(spec, facts), ...Object.fromEntries(declared), ...required };
  return {
    parameters: { ...parameters, ...raised(parameters, facts.floor) },
    hba: hbaLines(spec, node),
    ident: identLines(spec, facts),
  };
}

/** A standby with less than its primary refuses to start, or stops replaying. */
function raised(
  parameters: Readonly<Record<string, string>>,
  floor: Readonly<Record<string, number>>,
): Record<string, string> {
  const low = Object.entries(floor).filter(([name, least]) => Number(parameters[name] ?? 0) < least);
  return Object.fromEntries(low.map(([name, least]) => [name, String(least)]));
}
