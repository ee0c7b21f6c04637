/**
 * The PostgreSQL parameters that the cluster can't leave to anyone else: Understudy writes them, and the declaration may
 * not. Each with the reason, which is shown to whoever declares one.
 *
 * rules/settings.ts writes the values; a test holds the two against each other.
 */
const byName: Readonly<Record<string, string>> = {
  // who listens where
  listen_addresses: "a server listens on its node's declared address",
  port: 'declare it as postgres.port',
  unix_socket_directories: 'the agent connects through its own socket directory',
  unix_socket_permissions: 'the agent connects through its own socket directory',
  unix_socket_group: 'the agent connects through its own socket directory',
  // where things are
  data_directory: 'declare it as postgres.data',
  config_file: 'the agent writes the configuration files',
  hba_file: 'the agent writes the configuration files',
  ident_file: 'the agent writes the configuration files',
  external_pid_file: 'the agent finds the server by its data directory',
  cluster_name: "it is the node's name, by which standbys are known",
  // replication
  wal_level: 'standbys need replica',
  wal_log_hints: 'a former primary can be rewound only with it',
  hot_standby: 'standbys serve reads',
  primary_conninfo: 'the agent points standbys at the primary',
  primary_slot_name: 'the agent gives each standby its slot',
  promote_trigger_file: 'the agent alone promotes',
  restore_command: 'the agent decides where missing WAL comes from',
  max_slot_wal_keep_size: 'declare it as postgres.wal_budget',
  synchronous_standby_names: 'a commit is acknowledged by what the agent knows to be safe',
  synchronous_commit: 'it is local for everybody; a transaction or a role may ask for more',
  wal_retrieve_retry_interval: 'a switchover relies on it',
  wal_receiver_status_interval: 'the lag that is shown relies on it',
  wal_receiver_timeout: 'a vanished primary must be noticed in time',
  wal_receiver_create_temp_slot: 'the agent gives each standby its slot',
  wal_sender_timeout: 'a vanished standby must be noticed in time',
  // who is alive
  restart_after_crash: 'a crashed server comes back only with the right to be primary',
  default_transaction_read_only: 'the agent writes, too; give applications their rights with applications.<name>.rights',
  // credentials
  password_encryption: 'passwords are SCRAM only',
  // what the agent reads in the log
  lc_messages: 'the agent reads the log',
  logging_collector: 'the agent keeps the log',
  log_destination: 'the agent keeps the log',
};

const byPrefix: readonly (readonly [string, string])[] = [
  ['ssl', 'connections are verified by the certificates of the cluster'],
  ['recovery_', 'the agent alone decides about recovery'],
  ['archive_', 'archiving comes with backups, which this version does not have'],
];

/** Why Understudy keeps this parameter to itself; `null` when anyone may set it. Case does not matter, as in PostgreSQL. */
export function ownedBecause(parameter: string): string | null {
  const name = parameter.toLowerCase();
  if (Object.hasOwn(byName, name)) return byName[name] ?? null;
  return byPrefix.find(([prefix]) => name.startsWith(prefix))?.[1] ?? null;
}

/** Names, and beginnings of names written as `ssl*`. */
export const ownedParameters: readonly string[] = [...Object.keys(byName), ...byPrefix.map(([prefix]) => `${prefix}*`)];
