/**
 * What a running server says of itself: one cheap statement for every pass of the loop, and one for what seldom
 * changes.
 *
 * Works in recovery and out of it on versions 13 to 18 (documentation 9.27.3 to 9.27.6 and 27.2). Positions are those
 * of the server's own process memory, so nothing here waits for a disk.
 */
import { z } from 'zod';
import type { PendingRestart, ReplicationPeer, SlotState } from '../core/local-postgres.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';
import type { Statement } from './session.ts';
import { retiredSessions } from './sessions.ts';

/** A position as the server writes it. */
export const lsn = z.string().transform((text, context): Lsn => {
  const parsed = parseLsn(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: `not a WAL position: ${text}` });
  return z.NEVER;
});

const peerSchema = z.object({
  name: z.string().nullable(),
  pid: z.number(),
  state: z.string().nullable(),
  sent: lsn.nullable(),
  flush: lsn.nullable(),
  replay: lsn.nullable(),
  /** When the standby sent its last reply, by its own clock, in µs. */
  reply: z.number().nullable(),
});

const slotSchema = z.object({
  name: z.string(),
  active: z.boolean(),
  restart: lsn.nullable(),
  status: z.string().nullable(),
});

const positionSchema = z.object({
  recovery: z.boolean(),
  insert_lsn: lsn.nullable(),
  insert_timeline: z.string().nullable(),
  received_lsn: lsn.nullable(),
  replayed_lsn: lsn.nullable(),
  replay_paused: z.boolean().nullable(),
  /** Seconds since the last replayed commit. */
  replay_age_s: z.number().nullable(),
  receiver_status: z.string().nullable(),
  receiver_timeline: z.number().nullable(),
  primary_conninfo: z.string(),
  reads_archive: z.boolean(),
  sync_names: z.string(),
  /** What the startup process waits for, while there is no WAL receiver. */
  startup_wait: z.string().nullable(),
});
export type PositionFacts = z.infer<typeof positionSchema>;

const peersSchema = z.object({
  slots: z.array(slotSchema),
  peers: z.array(peerSchema),
  retired_sessions: z.number(),
});

const fastSchema = z.object({ ...positionSchema.shape, ...peersSchema.shape });
export type FastFacts = z.infer<typeof fastSchema>;

/** CASE keeps the functions of the other role from being called: they raise errors. */
const positionColumns = `
      r.recovery,
      case when not r.recovery then pg_current_wal_insert_lsn()::text end as insert_lsn,
      case when not r.recovery then left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end as insert_timeline,
      case when r.recovery then pg_last_wal_receive_lsn()::text end as received_lsn,
      case when r.recovery then pg_last_wal_replay_lsn()::text end as replayed_lsn,
      case when r.recovery then pg_is_wal_replay_paused() end as replay_paused,
      case when r.recovery
        then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 end as replay_age_s,
      w.status as receiver_status,
      w.received_tli as receiver_timeline,
      current_setting('primary_conninfo') as primary_conninfo,
      current_setting('restore_command') <> '' as reads_archive,
      current_setting('synchronous_standby_names') as sync_names,
      case when r.recovery and w.status is null then
        (select wait_event from pg_stat_activity where backend_type = 'startup') end as startup_wait`;

const peerColumns = `
      (select coalesce(json_agg(json_build_object('name', slot_name, 'active', active,
          'restart', restart_lsn::text, 'status', wal_status)), '[]')
        from pg_replication_slots where slot_type = 'physical' and not temporary) as slots,
      (select coalesce(json_agg(json_build_object('name', application_name, 'pid', pid, 'state', state,
          'sent', sent_lsn::text, 'flush', flush_lsn::text, 'replay', replay_lsn::text,
          'reply', round(extract(epoch from reply_time) * 1000000))), '[]')
        from pg_stat_replication) as peers,
      (select count(*)::int ${retiredSessions}) as retired_sessions`;

const source = `
    from (select pg_is_in_recovery() as recovery) r
    left join pg_stat_wal_receiver w on true`;

/** Role and positions alone: what is asked in the middle of a switchover, where every ms is a writer's. */
export const positionStatement: Statement<PositionFacts> = {
  prepareAs: 'understudy_position',
  row: positionSchema,
  text: `select ${positionColumns} ${source}`,
};

export const fastStatement: Statement<FastFacts> = {
  prepareAs: 'understudy_fast',
  row: fastSchema,
  text: `select ${positionColumns}, ${peerColumns} ${source}`,
};

const minimumNames = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

const slowSchema = z.object({
  version: z.string(),
  minimums: z.record(z.string(), z.number()),
  pending: z.array(z.object({ name: z.string(), current: z.string().nullable(), wanted: z.string().nullable() })),
  archiver: z.object({
    on: z.boolean(),
    archived: z.string().nullable(),
    failed: z.string().nullable(),
    failed_at: z.string().nullable(),
    waiting: z.number(),
  }),
});
export type SlowFacts = z.infer<typeof slowSchema>;

/**
 * `wanted` is the last line of the files that names the parameter; one that no file names any more goes back to its
 * built-in value (pg_settings.pending_restart, documentation 54.24).
 */
export const slowStatement: Statement<SlowFacts> = {
  prepareAs: 'understudy_slow',
  row: slowSchema,
  text: `
    select current_setting('server_version') as version,
      (select json_object_agg(name, setting::int) from pg_settings
        where name in (${minimumNames.map((name) => `'${name}'`).join(', ')})) as minimums,
      (select coalesce(json_agg(json_build_object('name', s.name, 'current', current_setting(s.name, true),
          'wanted', coalesce((select f.setting from pg_file_settings f
            where f.name = s.name order by f.seqno desc limit 1), s.boot_val))), '[]')
        from pg_settings s where s.pending_restart) as pending,
      (select json_build_object('on', current_setting('archive_mode') <> 'off', 'archived', a.last_archived_wal,
          'failed', case when f.is_last then a.last_failed_wal end,
          'failed_at', case when f.is_last then to_char(a.last_failed_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end,
          'waiting', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready'))
        from pg_stat_archiver a,
          lateral (select a.last_failed_time > coalesce(a.last_archived_time, '-infinity') as is_last) f) as archiver`,
};

export function pendingRestarts(slow: SlowFacts): readonly PendingRestart[] {
  return slow.pending.map(({ name, current, wanted }) => ({ name, current: current ?? '', wanted: wanted ?? '' }));
}

function walStatus(status: string | null): SlotState['walStatus'] {
  switch (status) {
    case 'reserved':
    case 'extended':
    case 'unreserved':
    case 'lost':
      return status;
    default:
      return 'unknown'; // a slot that has never reserved anything
  }
}

export function slotStates(fast: FastFacts): readonly SlotState[] {
  return fast.slots.map(({ name, active, restart, status }) => ({
    name,
    active,
    restartLsn: restart,
    walStatus: walStatus(status),
  }));
}

/**
 * Turns the standbys' own clocks into ages on ours: a reply is as old as the time since we first saw it. Standbys
 * reply at least each `wal_receiver_status_interval`.
 */
export function createReplyAges() {
  let seen = new Map<number, { readonly reply: number; readonly atMs: number }>();
  return (fast: FastFacts, nowMs: number): readonly ReplicationPeer[] => {
    const next: typeof seen = new Map();
    const peers = fast.peers.map((peer): ReplicationPeer => {
      const before = seen.get(peer.pid);
      if (peer.reply !== null) {
        next.set(peer.pid, before?.reply === peer.reply ? before : { reply: peer.reply, atMs: nowMs });
      }
      const since = next.get(peer.pid);
      return {
        name: peer.name ?? '',
        pid: peer.pid,
        state: peer.state ?? 'unknown',
        sentLsn: peer.sent,
        flushLsn: peer.flush,
        replayLsn: peer.replay,
        replyAgeMs: since === undefined ? null : nowMs - since.atMs,
      };
    });
    seen = next;
    return peers;
  };
}
