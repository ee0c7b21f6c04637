/**
 * Puts together what is known of the local server at one instant.
 *
 * Never throws and never takes longer than it was given. Unknown is not false: a server that lives but does not answer
 * is `unknown` with its process id, never `stopped`; `stopped` means that no process of the data directory lives and
 * its memory is not attached.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalPostgres, ServerFacts } from '../core/cluster-view.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { LookDepth } from '../ports/postgres.ts';
import { readQuietly } from '../process/quiet-file.ts';
import type { Binaries } from './binaries.ts';
import { type ControlFile, controlTimeline, readControl } from './control-file.ts';
import { readForeignControl } from './control-program.ts';
import {
  createReplyAges,
  fastStatement,
  type PositionFacts,
  pendingRestarts,
  positionStatement,
  type SlowFacts,
  slotStates,
  slowStatement,
} from './facts.ts';
import { hasContent, readJournal, settleSwap } from './journal.ts';
import type { Layout } from './layout.ts';
import { findServer, type Server } from './postmaster-file.ts';
import { createDiagnosis, createLogTail, type StreamingDiagnosis } from './replication-log.ts';
import { type Session, sqlState } from './session.ts';
import { parseSyncNames } from './sync-names.ts';
import { upstreamNode } from './upstream.ts';
import { within } from './waiting.ts';

/** Versions and settings change only with a restart or a reload. */
const slowFactsEveryMs = 5_000;
const reloadSettlesMs = 500;
/** SQLSTATE cannot_connect_now: starting up, or shutting down. */
const cannotConnectNow = '57P03';

export interface Observer {
  observe(withinMs: number, depth: LookDepth): Promise<LocalPostgres>;
  /** Settings may have changed: read them again at the next look. */
  refresh(): void;
  readonly diagnosis: StreamingDiagnosis;
}

export interface ObserverContext {
  readonly layout: Layout;
  readonly session: Session;
  readonly clock: Clock;
  readonly domain: string;
  readonly major: number;
  readonly binaries: () => Promise<Binaries>;
  /** Is a data directory being built or swapped by this very process? Then the journal is not ours to settle. */
  readonly isBuilding: () => boolean;
}

function unknown(because: string, pid: number | null): LocalPostgres {
  return { state: 'unknown', because, pid };
}

/** In which role the server ran last, from how it was left. */
function lastRole(control: ControlFile, layout: Layout): 'primary' | 'standby' {
  if (control.state === 'shut-down-in-recovery') return 'standby';
  // A copy of a running primary carries that primary's state; its label tells that it is a copy.
  if (existsSync(layout.backupLabel)) return 'standby';
  return control.state === 'archive-recovery' && existsSync(layout.standbySignal) ? 'standby' : 'primary';
}

function describeStopped(control: ControlFile, layout: Layout): LocalPostgres {
  const clean = control.state === 'shut-down' || control.state === 'shut-down-in-recovery';
  return {
    state: 'stopped',
    systemIdentifier: control.systemIdentifier,
    timeline: controlTimeline(control),
    checkpointLsn: control.checkpointLsn,
    shutdown: clean ? 'clean' : 'crashed',
    lastRole: lastRole(control, layout),
  };
}

/** The receive position, if it is one: after a restart it is nothing, or the start of a segment behind replay. */
function receivedPosition(fast: PositionFacts): Lsn | null {
  if (fast.received_lsn === null) return null;
  return fast.replayed_lsn === null || fast.received_lsn >= fast.replayed_lsn ? fast.received_lsn : null;
}

/**
 * The end of valid WAL on disk: what this process streamed past its replay, or else the replay position once local WAL
 * is exhausted. The maximum of both is too low after a restart, and replay that still goes on tells nothing.
 */
function walEnd(fast: PositionFacts, replayed: Lsn): Lsn | null {
  const received = receivedPosition(fast);
  if (received !== null && received > replayed) return received;
  const isExhausted = fast.receiver_status !== null || fast.startup_wait === 'RecoveryRetrieveRetryInterval';
  return isExhausted ? replayed : null;
}

/** Where a timeline left its parent (documentation 26.3.6): the last line of its history file. */
function readFork(layout: Layout, timeline: number): { readonly parent: number; readonly lsn: Lsn } | null {
  const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  try {
    const lines = readQuietly(join(layout.data, 'pg_wal', name))
      .toString('utf8')
      .split('\n');
    const last = lines.filter((line) => /^\d+\s/.test(line)).at(-1);
    const [parent, at] = (last ?? '').split(/\s+/);
    const lsn = parseLsn(at ?? '');
    return lsn === undefined ? null : { parent: Number(parent), lsn };
  } catch {
    return null; // the first timeline has none
  }
}

/** `null`: there is no cluster. Throws when that can't be told. */
function readMajor(layout: Layout): string | null {
  try {
    return readQuietly(join(layout.data, 'PG_VERSION')).toString('utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw error;
  }
}

function replayLagS(fast: PositionFacts): number | null {
  if (fast.receiver_status !== 'streaming') return null;
  const received = receivedPosition(fast);
  if (received === null || received === fast.replayed_lsn) return 0;
  return fast.replay_age_s === null ? null : Math.max(0, fast.replay_age_s);
}

export function createObserver(context: ObserverContext): Observer {
  const { layout, session, clock } = context;
  const replyAges = createReplyAges();
  const diagnosis = createDiagnosis(createLogTail(layout.serverLog));
  let slow: { readonly facts: SlowFacts; readonly atMs: number; readonly pid: number } | null = null;
  /** A reload reaches the sessions one by one: look again and again for a moment. */
  let unsettledUntilMs = 0;
  /** The last timeline that this server received; the control file follows only with the next restart point. */
  let received: { readonly timeline: number; readonly pid: number } | null = null;

  const slowFacts = async (pid: number, withinMs: number): Promise<SlowFacts> => {
    const now = clock.boottimeMs();
    if (slow === null || slow.pid !== pid || now - slow.atMs > slowFactsEveryMs || now < unsettledUntilMs) {
      const [facts] = await session.query(slowStatement, withinMs);
      if (facts === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
      slow = { facts, atMs: now, pid };
    }
    return slow.facts;
  };

  /** Everything but role and positions, as the last whole look at this very server found it. */
  let whole: (Omit<ServerFacts, 'timeline'> & { readonly pid: number; readonly controlTimeline: number }) | null = null;

  const lookWhole = async (pid: number, withinMs: number): Promise<PositionFacts> => {
    const endMs = clock.boottimeMs() + withinMs;
    const [fast] = await session.query(fastStatement, withinMs);
    if (fast === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
    const nowMs = clock.boottimeMs();
    const facts = await slowFacts(pid, Math.max(1, endMs - nowMs));
    const reading = readControl(layout.controlFile);
    const control =
      reading.found === 'control' ? reading.control : await readForeignControl(layout, await context.binaries());
    whole = {
      pid,
      controlTimeline: controlTimeline(control),
      systemIdentifier: control.systemIdentifier,
      serverVersion: facts.version,
      major: context.major,
      slots: slotStates(fast),
      peers: replyAges(fast, nowMs),
      pendingRestart: pendingRestarts(facts),
      standbyMinimums: facts.minimums,
    };
    return { ...fast, replayed_lsn: fast.replayed_lsn ?? (fast.recovery ? control.minRecoveryLsn : null) };
  };

  let fork: { readonly timeline: number; readonly at: ReturnType<typeof readFork> } | null = null;
  const forkOf = (timeline: number): ReturnType<typeof readFork> => {
    if (fork?.timeline !== timeline) fork = { timeline, at: readFork(layout, timeline) };
    return fork.at;
  };

  const lookBriefly = async (withinMs: number): Promise<PositionFacts> => {
    const [facts] = await session.query(positionStatement, withinMs);
    if (facts === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
    return facts;
  };

  const running = async (pid: number, withinMs: number, depth: LookDepth): Promise<LocalPostgres> => {
    const fast = depth === 'brief' && whole?.pid === pid ? await lookBriefly(withinMs) : await lookWhole(pid, withinMs);
    if (whole === null) return unknown('its facts were dropped while they were read', pid);
    const { controlTimeline: checkpointed, ...server } = whole;
    if (!fast.recovery && fast.insert_lsn !== null && fast.insert_timeline !== null) {
      return {
        state: 'primary',
        ...server,
        timeline: Number.parseInt(fast.insert_timeline, 16),
        insertLsn: fast.insert_lsn,
        fork: forkOf(Number.parseInt(fast.insert_timeline, 16)),
        syncSet: parseSyncNames(fast.sync_names),
      };
    }
    if (fast.replayed_lsn === null) return unknown('its replay position is not known yet', pid);
    const streaming = fast.receiver_status === 'streaming';
    if (streaming && fast.receiver_timeline !== null) received = { timeline: fast.receiver_timeline, pid };
    return {
      state: 'standby',
      ...server,
      timeline: Math.max(checkpointed, received?.pid === pid ? received.timeline : 0),
      receivedLsn: receivedPosition(fast),
      replayedLsn: fast.replayed_lsn,
      walEnd: walEnd(fast, fast.replayed_lsn),
      replayPaused: fast.replay_paused ?? false,
      lagS: replayLagS(fast),
      upstream: upstreamNode(fast.primary_conninfo, context.domain),
      receiver: streaming ? 'streaming' : fast.receiver_status === null ? 'none' : 'connecting',
      cannotStream: diagnosis.look(streaming),
    };
  };

  const alive = async (
    server: Extract<Server, { alive: 'postmaster' }>,
    withinMs: number,
    depth: LookDepth,
  ): Promise<LocalPostgres> => {
    const { pid } = server.postmaster;
    if (server.frozen) return unknown('the postmaster was stopped by a signal', pid);
    if (server.file.status === 'starting' || server.file.status === 'none') return { state: 'starting', pid };
    if (server.file.status === 'stopping') return { state: 'stopping', pid };
    try {
      return await running(pid, withinMs, depth);
    } catch (error) {
      // A connection that broke or was refused may just mean that it is on its way up or down.
      const again = findServer(layout.data, layout.postmasterFile);
      if (again.alive !== 'postmaster') return { state: 'stopping', pid };
      if (again.file.status === 'stopping') return { state: 'stopping', pid };
      if (sqlState(error) === cannotConnectNow) return { state: 'starting', pid };
      return unknown(describeError(error), pid);
    }
  };

  const atRest = async (): Promise<LocalPostgres> => {
    const version = readMajor(layout);
    // A look at a directory's names leaves its note, too (quiet-file.ts): only where there is no cluster.
    if (version === null && !hasContent(layout.data)) {
      return (await readJournal(layout)).entry.step === 'nothing' ? { state: 'absent' } : { state: 'unfinished' };
    }
    // Never to be started, whatever it looks like.
    if ((await readJournal(layout)).rewind?.step === 'begun') return { state: 'unfinished' };
    if (version === null) return { state: 'foreign', because: `${layout.data} holds no PostgreSQL cluster` };
    if (version !== String(context.major)) {
      return { state: 'foreign', because: `${layout.data} is of PostgreSQL ${version}, declared is ${context.major}` };
    }
    const reading = readControl(layout.controlFile);
    switch (reading.found) {
      case 'control':
        return describeStopped(reading.control, layout);
      case 'unknown-format':
        return describeStopped(await readForeignControl(layout, await context.binaries()), layout);
      case 'nothing':
        return { state: 'foreign', because: `${layout.data} has no control file` };
      case 'unreadable':
        return { state: 'foreign', because: `${layout.data}: ${reading.because}` };
    }
  };

  const look = async (withinMs: number, depth: LookDepth): Promise<LocalPostgres> => {
    try {
      await context.binaries();
    } catch (error) {
      if (isUnderstudyError(error)) return { state: 'missing-binaries', because: describeError(error) };
      throw error;
    }
    const found = findServer(layout.data, layout.postmasterFile);
    if (found.alive === 'postmaster') return alive(found, withinMs, depth);
    // Directories are swapped only where nothing runs.
    if (!context.isBuilding()) await settleSwap(layout);
    const server = findServer(layout.data, layout.postmasterFile);
    if (server.alive === 'postmaster') return alive(server, withinMs, depth);
    session.drop();
    slow = null;
    whole = null;
    if (server.alive === 'remnants') {
      return { state: 'orphaned', pid: server.processes[0]?.pid ?? server.file?.pid ?? 0 };
    }
    return atRest();
  };

  return {
    diagnosis,
    refresh() {
      unsettledUntilMs = clock.boottimeMs() + reloadSettlesMs;
    },
    async observe(withinMs, depth) {
      try {
        return (
          (await within(withinMs, look(0.9 * withinMs, depth))) ?? unknown(`no answer within ${withinMs} ms`, null)
        );
      } catch (error) {
        return unknown(describeError(error), null);
      }
    },
  };
}
