/**
 * What a delayed standby of this machine could show of the past: from what it has replayed to what it has received.
 *
 * Invariant: it is asked, and its WAL is read; nothing about it changes. What can't be found out is unknown, and not taken to be
 * missing.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { StandbyReach } from '../core/backups/past-source.ts';
import { bytesBehind, lsnFromOffset, parseLsn } from '../core/lsn.ts';
import { parseSegment, segmentOf, type WalSegment } from '../core/wal-segments.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { createSession } from '../postgres/session.ts';
import { deadlineOf } from '../postgres/waiting.ts';
import { dumpWal } from '../postgres/wal-dump.ts';

export interface DelayedStandby {
  readonly node: string;
  readonly data: string;
  readonly socketDirectory: string;
  readonly port: number;
  readonly binaries: Binaries;
}

export interface SeenStandby {
  readonly standby: DelayedStandby;
  readonly reach: StandbyReach;
  /** The newest that it has received. */
  readonly timeline: number;
  readonly databaseBytes: number;
  /** From where replay of a copy begins; `null`: not known. */
  readonly walBytes: number | null;
}

const row = z.object({
  recovery: z.boolean(),
  replayed: z.string().nullable(),
  shown: z.string().nullable(),
  begun: z.string(),
  received: z.string().nullable(),
  redo: z.string(),
  bytes: z.number(),
  segment: z.number(),
  tablespaces: z.array(z.string()),
});

const iso = (moment: string): string => `to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
/** Whole seconds are known of a checkpoint: no commit before it is a second later. */
const text = `select pg_is_in_recovery() as recovery, pg_last_wal_replay_lsn()::text as replayed,
    ${iso('pg_last_xact_replay_timestamp()')} as shown, ${iso("(checkpoint_time + interval '1 s')")} as begun,
    pg_last_wal_receive_lsn()::text as received, redo_lsn::text as redo,
    (select sum(pg_database_size(oid)) from pg_database)::float8 as bytes,
    pg_size_bytes(current_setting('wal_segment_size'))::float8 as segment,
    array(select spcname::text from pg_tablespace where spcname not in ('pg_default', 'pg_global')) as tablespaces
  from pg_control_checkpoint()`;

/** A copy goes at least that quick. */
const copiedPerMs = 50_000;
const copyBeginsMs = 2_000;
/** In each of them a transaction has ended, but for what was recycled, and for what one transaction alone filled. */
const segmentsAtMost = 1_024;

export async function seeStandby(
  standby: DelayedStandby,
  clock: Clock,
  options: ActOptions,
): Promise<SeenStandby | { readonly unfit: string }> {
  const { node } = standby;
  const session = createSession(standby);
  let seen: z.infer<typeof row> | undefined;
  try {
    [seen] = await session.query({ text, row }, options.withinMs);
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { unfit: `the server of ${node}, a delayed standby, does not answer` };
  } finally {
    session.drop();
  }
  if (seen === undefined || !seen.recovery || seen.replayed === null) {
    return { unfit: `${node} is declared as a delayed standby, and is none now` };
  }
  if (seen.tablespaces.length > 0) {
    return { unfit: `${node} has tablespaces, and can't be copied: ${seen.tablespaces.join(', ')}` };
  }
  const shown = seen.shown ?? seen.begun;
  const received = await receivedIn(standby, { ...seen, replayed: seen.replayed }, clock, options);
  const reach: StandbyReach = {
    ...{ node, replayed: { lsn: seen.replayed, lastCommitAt: shown }, redoLsn: seen.redo },
    received: { lsn: seen.received, lastCommitAt: received.isWhole ? (received.lastCommitAt ?? shown) : null },
    copyMs: copyBeginsMs + seen.bytes / copiedPerMs,
  };
  const [redo, end] = [parseLsn(seen.redo), seen.received === null ? undefined : parseLsn(seen.received)];
  const walBytes = redo === undefined || end === undefined ? null : bytesBehind(end, redo);
  return { standby, reach, timeline: received.timeline, databaseBytes: seen.bytes, walBytes };
}

interface Received {
  readonly timeline: number;
  /** Of the newest transaction that ended; `null`: none is there. */
  readonly lastCommitAt: string | null;
  /** It was looked through as far as was needed. */
  readonly isWhole: boolean;
}

/** The newest first: what comes after its end is of files that were used before, and no WAL that would follow. */
async function receivedIn(
  { binaries, data }: DelayedStandby,
  seen: { readonly replayed: string; readonly received: string | null; readonly segment: number },
  clock: Clock,
  options: ActOptions,
): Promise<Received> {
  const directory = join(data, 'pg_wal');
  const segments = newestFirst(readdirSync(directory), seen.segment);
  const timeline = segments[0]?.timeline ?? 1;
  const [from, to] = [seen.replayed, seen.received].map((lsn) => (lsn === null ? undefined : parseLsn(lsn)));
  const first = from === undefined ? 0n : segmentOf(from, seen.segment);
  const last = to === undefined ? null : segmentOf(to, seen.segment);
  const asked = segments.filter(({ number }) => number >= first && (last === null || number <= last));
  const deadline = deadlineOf(clock, options);
  for (const { number, timeline: its } of asked.slice(0, segmentsAtMost)) {
    const begin = lsnFromOffset(number * BigInt(seen.segment));
    let lastCommitAt: string | null = null;
    const range = { directory, timeline: its, from: begin, to: null, only: 'Transaction' } as const;
    await dumpWal(binaries, range, (line) => (lastCommitAt = endOfTransaction(line) ?? lastCommitAt), deadline);
    if (lastCommitAt !== null) return { timeline, lastCommitAt, isWhole: true };
  }
  return { timeline, lastCommitAt: null, isWhole: asked.length <= segmentsAtMost };
}

function newestFirst(names: readonly string[], segmentBytes: number): readonly WalSegment[] {
  const segments = names.flatMap((name) => parseSegment(name, segmentBytes) ?? []);
  return segments.toSorted((a, b) => b.timeline - a.timeline || (a.number < b.number ? 1 : -1));
}

/** As pg_waldump shows it, in UTC; `null`: the line is of something else. */
export function endOfTransaction(line: string): string | null {
  const [, day, time] =
    /, desc: (?:COMMIT|ABORT)(?:_PREPARED \d+:)? (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) UTC/.exec(line) ?? [];
  return day === undefined || time === undefined ? null : `${day}T${time}Z`;
}
