/**
 * The parameters of postgresql.conf that a declaration can't set, and why. Pure.
 *
 * Invariant: whatever `rules/settings.ts` writes over the user's value is named here, so that nobody declares a value
 * in vain. More is refused than is written: what would move the server's files away from its agent, take recovery or
 * archiving out of its hands, or let a crash corrupt the data.
 */
const reasons: readonly { readonly names: readonly string[]; readonly reason: string }[] = [
  { names: ['port'], reason: 'declare it as postgres.port' },
  { names: ['max_slot_wal_keep_size'], reason: 'declare it as postgres.wal_budget' },
  { names: ['data_directory'], reason: 'declare it as postgres.data' },
  {
    names: ['listen_addresses', 'unix_socket_directories', 'unix_socket_permissions', 'unix_socket_group'],
    reason: `it follows from the node's address and its node file`,
  },
  {
    names: [
      'hba_file',
      'ident_file',
      'config_file',
      'external_pid_file',
      'include',
      'include_dir',
      'include_if_exists',
    ],
    reason: `the agent keeps the server's files`,
  },
  { names: ['cluster_name'], reason: `it is the node's name` },
  {
    names: [
      'ssl',
      'ssl_ca_file',
      'ssl_cert_file',
      'ssl_key_file',
      'ssl_crl_file',
      'ssl_crl_dir',
      'ssl_min_protocol_version',
      'ssl_max_protocol_version',
      'ssl_ciphers',
      'ssl_prefer_server_ciphers',
      'ssl_tls13_ciphers',
      'ssl_groups',
      'ssl_ecdh_curve',
      'ssl_dh_params_file',
      'ssl_passphrase_command',
      'ssl_passphrase_command_supports_reload',
    ],
    reason: 'all connections use the certificates and the one cipher policy of the cluster',
  },
  { names: ['password_encryption'], reason: 'roles have SCRAM passwords only' },
  {
    names: ['wal_level', 'wal_log_hints', 'hot_standby', 'fsync', 'full_page_writes'],
    reason: 'without it a standby, a rewind or a crash could lose data',
  },
  {
    names: ['synchronous_commit', 'synchronous_standby_names'],
    reason: 'the cluster decides whom a commit waits for; a transaction may set synchronous_commit for itself',
  },
  {
    names: ['restart_after_crash'],
    reason: 'a crashed server comes back only through its agent, if that holds the lease',
  },
  {
    names: [
      'wal_retrieve_retry_interval',
      'wal_receiver_status_interval',
      'wal_receiver_timeout',
      'wal_sender_timeout',
    ],
    reason: 'a switchover depends on its timing',
  },
  {
    names: ['archive_mode', 'archive_command', 'archive_timeout', 'archive_library', 'restore_command'],
    reason: 'it follows from the backups of the cluster: declare those under backups',
  },
  {
    names: ['lc_messages', 'logging_collector', 'log_destination'],
    reason: `the agent reads the server's log`,
  },
  { names: ['promote_trigger_file'], reason: 'the agent alone decides on recovery and promotion' },
];

const families: readonly { readonly prefix: string; readonly reason: string }[] = [
  { prefix: 'archive_', reason: 'archiving belongs to the cluster' },
  { prefix: 'recovery_', reason: 'the agent alone decides on recovery and promotion' },
  { prefix: 'primary_', reason: 'the agent alone decides whom a standby follows' },
];

const reasonOf: ReadonlyMap<string, string> = new Map(
  reasons.flatMap(({ names, reason }) => names.map((name) => [name, reason] as const)),
);

export const ownedParameterNames: readonly string[] = [...reasonOf.keys()];

/** Why Understudy sets this parameter itself; `undefined` when it is the user's. PostgreSQL ignores case in names. */
export function whyOwned(parameter: string): string | undefined {
  const name = parameter.toLowerCase();
  return reasonOf.get(name) ?? families.find(({ prefix }) => name.startsWith(prefix))?.reason;
}
