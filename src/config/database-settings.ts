/**
 * Parameters that no database has a value of its own for (`databases.*.settings`), and why. Pure.
 *
 * Named are those that PostgreSQL refuses for a single database (documentation 20.1, 54.24: the contexts `internal`, `postmaster`,
 * `sighup` and `backend`), that mean nothing there, and that would give away more than the database: a superuser's session
 * begins with them, too. What a newer version or an extension refuses besides, the server says when it is applied.
 */
import { needsRestart } from '../core/postmaster-parameters.ts';

const beyond: readonly { readonly names: readonly string[]; readonly because: string }[] = [
  { names: ['role'], because: 'is set by Understudy: logins act as their application by it. Remove it' },
  {
    names: ['session_authorization', 'is_superuser'],
    because: 'says who somebody is, and is nothing that a session could begin with. Remove it',
  },
  {
    names: [
      'session_preload_libraries',
      'local_preload_libraries',
      'dynamic_library_path',
      'extension_control_path',
      'extension_destdir',
    ],
    because: 'decides whose code the server runs, as the superuser too. Under postgres.parameters',
  },
  {
    names: ['allow_system_table_mods', 'allow_in_place_tablespaces', 'ignore_system_indexes'],
    because: `is for repairs of the system's own tables, by a superuser in a session of his own. Remove it`,
  },
  {
    names: ['zero_damaged_pages', 'ignore_checksum_failure'],
    because: 'destroys data that might be saved: it is for repairs, in a session of their own. Remove it',
  },
  {
    names: ['lo_compat_privileges'],
    because: 'lets everybody read and write every large object, whatever his rights. Remove it',
  },
  {
    names: ['seed'],
    because: `is a session's own start of its random numbers, and the same for all is none. Remove it`,
  },
  {
    names: ['transaction_isolation', 'transaction_read_only', 'transaction_deferrable'],
    because: `is of one transaction. What sessions begin with has the same name with 'default_' before it`,
  },
  {
    names: [
      'jit_debugging_support',
      'jit_profiling_support',
      'log_connections',
      'log_disconnections',
      'post_auth_delay',
      'pre_auth_delay',
    ],
    because: 'is settled before it is known which database a session is for. Under postgres.parameters',
  },
  {
    names: [
      'block_size',
      'data_checksums',
      'data_directory_mode',
      'debug_assertions',
      'effective_wal_level',
      'huge_pages_status',
      'in_hot_standby',
      'integer_datetimes',
      'lc_collate',
      'lc_ctype',
      'max_function_args',
      'max_identifier_length',
      'max_index_keys',
      'num_os_semaphores',
      'segment_size',
      'server_encoding',
      'server_version',
      'server_version_num',
      'shared_memory_size',
      'shared_memory_size_in_huge_pages',
      'ssl_library',
      'wal_block_size',
      'wal_segment_size',
    ],
    because: 'is what the server tells of itself. Remove it',
  },
];

const reasons: ReadonlyMap<string, string> = new Map(
  beyond.flatMap(({ names, because }) => names.map((name) => [name, because] as const)),
);

/** One value for the whole server, though a reload changes it; by beginnings and by names. */
const serverWide =
  /^(?:autovacuum|bgwriter_|checkpoint_|hot_standby_|krb_|max_standby_|summarize_wal$|sync_replication_slots$|synchronized_standby_slots$|syslog_|wal_receiver_|wal_summary_|wal_writer_)/;
const serverWideNames: ReadonlySet<string> = new Set([
  'allow_alter_system',
  'authentication_timeout',
  'db_user_namespace',
  'gss_accept_delegation',
  'idle_replication_slot_timeout',
  'log_autoanalyze_min_duration',
  'log_autovacuum_min_duration',
  'log_checkpoints',
  'log_directory',
  'log_file_mode',
  'log_filename',
  'log_hostname',
  'log_line_prefix',
  'log_recovery_conflict_waits',
  'log_rotation_age',
  'log_rotation_size',
  'log_startup_progress_interval',
  'log_timezone',
  'log_truncate_on_rotation',
  'max_pred_locks_per_page',
  'max_pred_locks_per_relation',
  'max_sync_workers_per_subscription',
  'max_wal_size',
  'min_wal_size',
  'remove_temp_files_after_crash',
  'trace_recovery_messages',
  'vacuum_defer_cleanup_age',
  'wal_keep_segments',
  'wal_keep_size',
  'wal_retrieve_retry_interval',
  'wal_sync_method',
]);

/** `name`: in lower case. `undefined`: a database may have its own. */
export function whyNotOfDatabase(name: string): string | undefined {
  const reason = reasons.get(name);
  if (reason !== undefined) return reason;
  const isServerWide = serverWide.test(name) || serverWideNames.has(name) || needsRestart(name);
  return isServerWide ? 'is one value for the whole server. Under postgres.parameters' : undefined;
}
