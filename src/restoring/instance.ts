/**
 * A server on a restored directory: recovers to a target, and waits there or is promoted.
 *
 * Invariant: it touches nothing live (instance-settings.ts), and is never said to have reached its target unless it answered so
 * itself: it waits there or was promoted, it has replayed no commit past the target, and it did not stop short of it. It outlives the
 * process that started it, and its record says how to end it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parseMoment } from '../core/backups/moments.ts';
import { parseLsn } from '../core/lsn.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { RestoreTarget } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { findServer } from '../postgres/postmaster-file.ts';
import { programEnvironment } from '../postgres/program-environment.ts';
import { createLogTail, type LogTail, lastLines } from '../postgres/replication-log.ts';
import { createSession, type Session } from '../postgres/session.ts';
import { type Deadline, deadlineOf, waitFor } from '../postgres/waiting.ts';
import { startDaemon } from '../process/daemon.ts';
import { isAlive, type ProcessIdentity } from '../process/identity.ts';
import { endInstance, writeInstance } from './instance-record.ts';
import { instanceAccess, instanceArguments } from './instance-settings.ts';
import { asksForMore, doubled, type Minimums, standbyMinimums } from './standby-minimums.ts';

export interface InstanceRequest {
  /** Restored, or a copy of such a one; nobody else's. */
  readonly data: string;
  /** Its own: socket, log, configuration, record. Short, since a socket's path has 107 bytes at most; made with mode 0700. */
  readonly directory: string;
  readonly port: number;
  readonly binaries: Binaries;
  /** Not before the one that it is at, if it was started before. */
  readonly target: RestoreTarget;
  /** `pause`: read-only, there; not with the target `default`, which has no place to wait at. */
  readonly hold: 'pause' | 'promote';
  readonly timeline: 'latest' | 'current' | number;
  /** Over its own. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The words before its program, which end in starting it in their place, as those of `nice` do. */
  readonly under?: readonly string[];
}

export interface Reached {
  readonly lsn: string;
  /** Of the last commit that was replayed, ISO 8601; `null`: there was none after the backup. */
  readonly lastCommitAt: string | null;
  readonly timeline: number;
}

export interface RestoredInstance {
  readonly postmaster: ProcessIdentity;
  readonly directory: string;
  readonly port: number;
  readonly reached: Reached;
  /** As superuser, in the database `postgres`. */
  readonly session: Session;
  /** In order, so that the directory can be started again as it is. */
  stop(options: ActOptions): Promise<void>;
}

export interface ReplayProgress {
  readonly lsn: string;
  readonly lastCommitAt: string | null;
}

interface Standing {
  readonly recovery: boolean;
  readonly paused: boolean | null;
  readonly lsn: string;
  readonly at: string | null;
  readonly timeline: number;
}

/** How often the WAL of one restore may have been written under larger settings than before. */
const raisedAtMost = 20;
const pollMs = 50;
const askWithinMs = 5_000;
const standing = {
  row: z.object({
    recovery: z.boolean(),
    paused: z.boolean().nullable(),
    lsn: z.string(),
    at: z.string().nullable(),
    timeline: z.number(),
  }),
  text: `select pg_is_in_recovery() as recovery,
    case when pg_is_in_recovery() then pg_is_wal_replay_paused() end as paused,
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text as lsn,
    to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
    case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
      else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end as timeline`,
};
/** Replay pauses for it (13: ends), and what was asked for was not reached. */
const insufficient = /insufficient parameter settings/;

/**
 * Answers when the target is reached. Whatever an earlier call left running of this instance is ended first; when this one fails,
 * nothing of it runs. Throws RESTORE_FAILED when the target is not reached, POSTGRES_TIMEOUT.
 */
export async function startInstance(
  request: InstanceRequest,
  clock: Clock,
  options: ActOptions,
  onProgress: (progress: ReplayProgress) => void = () => undefined,
): Promise<RestoredInstance> {
  const { binaries, data, directory, hold, target } = request;
  if (target.type === 'standby' || (target.type === 'default' && hold === 'pause')) {
    throw new UnderstudyError('BROKEN_INVARIANT', `an instance can't ${hold} at ${target.type}`);
  }
  const deadline = deadlineOf(clock, options);
  await endInstance(directory, clock, options);
  refuseRunning(data);
  for (let raised = 0; ; raised += 1) {
    const found = await standbyMinimums(data, binaries);
    const minimums = hold === 'promote' ? found : doubled(found);
    try {
      return await recoverOnce({ request, minimums, clock, deadline, onProgress });
    } catch (error) {
      const isShort = asksForMore(await standbyMinimums(data, binaries), minimums);
      if (!isShort || raised >= raisedAtMost || options.signal?.aborted === true) throw error;
    }
  }
}

interface Recovering {
  readonly request: InstanceRequest;
  readonly minimums: Minimums;
  readonly clock: Clock;
  readonly deadline: Deadline;
  readonly onProgress: (progress: ReplayProgress) => void;
}

async function recoverOnce({ request, minimums, ...rest }: Recovering): Promise<RestoredInstance> {
  const { data, directory, port, target } = request;
  writeFiles(request);
  writeInstance(directory, { data, port });
  const tail = createLogTail(logOf(directory));
  const logFrom = tail.size();
  const session = createSession({ socketDirectory: directory, port });
  const stop = async (how: ActOptions): Promise<void> => {
    session.drop();
    await endInstance(directory, rest.clock, how);
  };
  try {
    const postmaster = await start(request, minimums);
    const seen = await awaitTarget({ request, session, postmaster, tail, logFrom, ...rest });
    assertReached(target, seen);
    const reached = { lsn: seen.lsn, lastCommitAt: seen.at, timeline: seen.timeline };
    return { postmaster, directory, port, reached, session, stop };
  } catch (error) {
    await stop({ withinMs: 60_000 });
    throw error;
  }
}

function refuseRunning(data: string): void {
  const file = join(data, 'postmaster.pid');
  const server = findServer(data, file);
  if (server.alive !== 'nothing') throw new UnderstudyError('REFUSED', `a server runs in ${data}`);
  // Of a copy of a running one, or of one that was killed: its process id may be another's by now.
  rmSync(file, { force: true });
}

function writeFiles({ directory }: InstanceRequest): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text, { mode: 0o600 });
  write('postgresql.conf', '# Of a restored directory: its settings are given on the command line.\n');
  const { hba, ident } = instanceAccess(userInfo().username);
  write('pg_hba.conf', `${hba.join('\n')}\n`);
  write('pg_ident.conf', `${ident.join('\n')}\n`);
}

async function start(request: InstanceRequest, minimums: Minimums): Promise<ProcessIdentity> {
  const { binaries, data, directory, hold, port, settings = {}, target, timeline, under = [] } = request;
  const own = { directory, port, target, hold, minimums, timeline: String(timeline), more: settings };
  const postgres = join(binaries.directory, 'postgres');
  const [file = postgres, ...args] = [...under, postgres, '-D', data, ...instanceArguments(own)];
  return await startDaemon(file, args, {
    cwd: data,
    env: programEnvironment(),
    logFile: logOf(directory),
  });
}

function logOf(directory: string): string {
  return join(directory, 'postgresql.log');
}

interface Awaiting {
  readonly request: InstanceRequest;
  readonly session: Session;
  readonly postmaster: ProcessIdentity;
  readonly tail: LogTail;
  readonly logFrom: number;
  readonly clock: Clock;
  readonly deadline: Deadline;
  readonly onProgress: (progress: ReplayProgress) => void;
}

async function awaitTarget(awaiting: Awaiting): Promise<Standing> {
  const { request, session, postmaster, tail, logFrom, clock, deadline, onProgress } = awaiting;
  return await waitFor(clock, deadline, 'recovering to the target', pollMs, async () => {
    if (!isAlive(postmaster)) {
      throw new UnderstudyError('RESTORE_FAILED', `recovery ended: ${lastLines(tail, logFrom, 6)}`, {
        hint: 'where it ended before the target, no later commit is archived: recover to an earlier time, or to latest',
      });
    }
    const seen = await look(session, Math.min(askWithinMs, Math.max(1, deadline.leftMs())));
    if (seen === null) return undefined;
    onProgress({ lsn: seen.lsn, lastCommitAt: seen.at });
    if (seen.paused === true && insufficient.test(tail.read(logFrom).text)) {
      throw new UnderstudyError('RESTORE_FAILED', 'replay stopped short of the target: the WAL asks for more', {
        hint: 'give larger settings (max_connections and those like it): they were raised after the backup',
      });
    }
    return (request.hold === 'pause' ? seen.paused === true : !seen.recovery) ? seen : undefined;
  });
}

/** `null`: it lets nobody in yet. */
async function look(session: Session, withinMs: number): Promise<Standing | null> {
  try {
    return (await session.query(standing, withinMs))[0] ?? null;
  } catch (error) {
    if (isUnderstudyError(error)) return null;
    throw new UnderstudyError('POSTGRES_FAILED', describeError(error), { cause: error });
  }
}

/** Past the target recovery goes when the backup was younger than it: PostgreSQL says nothing of that. */
function assertReached(target: RestoreTarget, seen: Standing): void {
  if (target.type === 'time') {
    const [wanted, last] = [microsOf(target.value), seen.at === null ? null : microsOf(seen.at)];
    if (wanted !== null && last !== null && last > wanted) {
      throw new UnderstudyError('RESTORE_FAILED', `commits up to ${seen.at} were replayed, past ${target.value}`);
    }
  }
  if (target.type === 'lsn') {
    const [wanted, at] = [parseLsn(target.value), parseLsn(seen.lsn)];
    if (wanted !== undefined && at !== undefined && at < wanted) {
      throw new UnderstudyError('RESTORE_FAILED', `replay ended at ${seen.lsn}, before ${target.value}`);
    }
  }
}

/** Since 1970; a moment has only milliseconds. */
function microsOf(iso: string): number | null {
  const ms = parseMoment(iso);
  const fraction = /\.(\d+)/.exec(iso)?.[1]?.padEnd(6, '0') ?? '000000';
  return ms === undefined ? null : ms * 1_000 + Number(fraction.slice(3, 6));
}
