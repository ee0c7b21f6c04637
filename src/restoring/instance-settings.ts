/**
 * The settings of a server on a restored directory.
 *
 * Invariant: nothing of the cluster's own configuration is in force that would reach beyond the directory: no archiving, no
 * network, no library that starts work of its own, no standby to wait for, no subscription, no name of a primary. They are
 * given on the command line, which no file overrides, above a file of their own that stands in for the cluster's. At its socket the user
 * that it runs as and root become the superuser, and nobody else becomes anybody.
 */
import { localLine, localUser, superuser } from '../core/rules/local-access.ts';
import type { RestoreTarget } from '../ports/repository.ts';

export interface InstanceSettings {
  readonly directory: string;
  readonly port: number;
  readonly target: RestoreTarget;
  readonly hold: 'pause' | 'promote';
  readonly timeline: string;
  readonly minimums: Readonly<Record<string, number>>;
  /** Of whoever starts it, such as listen_addresses; they come after all others. */
  readonly more: Readonly<Record<string, string>>;
}

/** One alone may be set, and `postgresql.auto.conf` has the one of the restore. */
const targets = [
  'recovery_target',
  'recovery_target_time',
  'recovery_target_lsn',
  'recovery_target_xid',
  'recovery_target_name',
];

function targetSetting(target: RestoreTarget): readonly [string, string] | null {
  switch (target.type) {
    case 'time':
      return ['recovery_target_time', target.value.replace('T', ' ').replace(/Z$/, '+00')];
    case 'lsn':
    case 'xid':
    case 'name':
      return [`recovery_target_${target.type}`, target.value];
    case 'immediate':
      return ['recovery_target', 'immediate'];
    case 'default':
    case 'standby':
      return null;
    default:
      return target satisfies never;
  }
}

/** In this order: PostgreSQL takes a target only while no other is set. */
export function instanceArguments(settings: InstanceSettings): readonly string[] {
  const { directory, hold, minimums, more, port, target, timeline } = settings;
  const chosen = targetSetting(target);
  const entries: readonly (readonly [string, string])[] = [
    ['config_file', `${directory}/postgresql.conf`],
    ['hba_file', `${directory}/pg_hba.conf`],
    ['ident_file', `${directory}/pg_ident.conf`],
    ['port', String(port)],
    ['unix_socket_directories', directory],
    ['unix_socket_permissions', '0700'],
    ['listen_addresses', ''],
    ['ssl', 'off'],
    ['hot_standby', 'on'],
    ['archive_mode', 'off'],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ['synchronous_standby_names', ''],
    ['shared_preload_libraries', ''],
    ['session_preload_libraries', ''],
    ['local_preload_libraries', ''],
    ['max_logical_replication_workers', '0'],
    ['autovacuum', 'off'],
    ['shared_buffers', '64MB'],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['log_timezone', 'UTC'],
    ['lc_messages', 'C'],
    ...Object.entries(minimums).map(([name, value]) => [name, String(value)] as const),
    ...targets.map((name) => [name, ''] as const),
    ...(chosen === null ? [] : [chosen]),
    ['recovery_target_inclusive', 'on'],
    ['recovery_target_action', hold],
    ['recovery_target_timeline', timeline],
    ...Object.entries(more),
  ];
  return entries.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Lines of pg_hba.conf and pg_ident.conf. */
export function instanceAccess(osUser: string): { readonly hba: readonly string[]; readonly ident: readonly string[] } {
  const users = [...new Set([osUser, 'root'])];
  return { hba: [localLine('all', superuser)], ident: users.map((user) => localUser(user, superuser)) };
}
