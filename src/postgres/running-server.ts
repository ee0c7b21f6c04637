/**
 * What a running server says of itself: its role, its positions, and what else the cluster rests on.
 *
 * Invariant: facts of one process are never told as another's. A brief look asks for role and positions alone and takes
 * the rest from the last whole look at the same process. Throws when the server does not answer; what that means is for
 * the observation to judge.
 */
import { join } from 'node:path';
import { type ArchiverFacts, idleArchiver, type LocalPostgres, type ServerFacts } from '../core/local-postgres.ts';
import type { Lsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { LookDepth } from '../ports/postgres.ts';
import { archivedWith } from './archiver.ts';
import type { Binaries } from './binaries.ts';
import { controlTimeline, readControl } from './control-file.ts';
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
import type { Layout } from './layout.ts';
import type { StreamingDiagnosis } from './replication-log.ts';
import type { Session } from './session.ts';
import { receivedPosition, replayLagS, walEnd } from './standby-position.ts';
import { parseSyncNames } from './sync-names.ts';
import { upstreamNode } from './upstream.ts';
import { readFork, type TimelineFork, timelineAt, type WalPlace } from './wal-timeline.ts';

/** Versions and settings change only with a restart or a reload. */
const slowFactsEveryMs = 5_000;
const reloadSettlesMs = 500;

interface Checkpointed {
  /** As of the last restart point: a standby's WAL may have come to a later one since. */
  readonly controlTimeline: number;
  readonly segmentBytes: number;
}

export interface RunningServer {
  /** Of the process with that id, which lives. Throws POSTGRES_FAILED, POSTGRES_TIMEOUT, and what the server says. */
  observe(pid: number, withinMs: number, depth: LookDepth): Promise<LocalPostgres>;
  /** Settings may have changed: read them again at the next look. */
  refresh(): void;
  /** It lives no more. */
  forget(): void;
}

export interface RunningServerContext {
  readonly layout: Layout;
  readonly session: Session;
  readonly clock: Clock;
  readonly domain: string;
  readonly major: number;
  readonly binaries: () => Promise<Binaries>;
  readonly diagnosis: StreamingDiagnosis;
}

/** What it archived of another timeline, as when it was primary before, says nothing of this one's WAL. */
function archiverFacts(
  said: SlowFacts['archiver'] | null,
  insertTimeline: string,
  segmentBytes: number,
): ArchiverFacts {
  if (said === null) return { ...idleArchiver, segmentBytes };
  const { archived, failed, failed_at, on: isOn, waiting } = said;
  const archivedTo = archived?.startsWith(insertTimeline) === true ? archivedWith(archived, segmentBytes) : null;
  const failing = failed === null ? null : { segment: failed, at: failed_at ?? '' };
  return { isOn, archivedTo, failing, waiting, segmentBytes };
}

export function createRunningServer(context: RunningServerContext): RunningServer {
  const { layout, session, clock, diagnosis } = context;
  const replyAges = createReplyAges();
  let slow: { readonly facts: SlowFacts; readonly atMs: number; readonly pid: number } | null = null;
  /** A reload reaches the sessions one by one: look again and again for a moment. */
  let unsettledUntilMs = 0;
  /** Of WAL that nobody adds to, the timeline stays what it was. */
  let ended: { readonly pid: number; readonly at: Lsn; readonly timeline: number } | null = null;

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
  let whole: (Omit<ServerFacts, 'timeline'> & Checkpointed & { readonly pid: number }) | null = null;

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
      segmentBytes: control.walSegmentBytes,
      systemIdentifier: control.systemIdentifier,
      serverVersion: facts.version,
      major: context.major,
      slots: slotStates(fast),
      peers: replyAges(fast, nowMs),
      pendingRestart: pendingRestarts(facts),
      standbyMinimums: facts.minimums,
      retiredSessions: fast.retired_sessions,
    };
    return { ...fast, replayed_lsn: fast.replayed_lsn ?? (fast.recovery ? control.minRecoveryLsn : null) };
  };

  const walDirectory = join(layout.data, 'pg_wal');
  let fork: { readonly timeline: number; readonly at: TimelineFork | null } | null = null;
  const forkOf = (timeline: number): TimelineFork | null => {
    if (fork?.timeline !== timeline) fork = { timeline, at: readFork(walDirectory, timeline) };
    return fork.at;
  };

  /** Of the WAL on disk that ends there; `null`: not determined. */
  const timelineOf = (pid: number, place: WalPlace): number | null => {
    if (ended?.pid === pid && ended.at === place.end) return ended.timeline;
    const timeline = timelineAt(walDirectory, place);
    ended = timeline === null ? null : { pid, at: place.end, timeline };
    return timeline;
  };

  const lookBriefly = async (withinMs: number): Promise<PositionFacts> => {
    const [facts] = await session.query(positionStatement, withinMs);
    if (facts === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
    return facts;
  };

  const observe = async (pid: number, withinMs: number, depth: LookDepth): Promise<LocalPostgres> => {
    const fast = depth === 'brief' && whole?.pid === pid ? await lookBriefly(withinMs) : await lookWhole(pid, withinMs);
    if (whole === null) return { state: 'unknown', because: 'its facts were dropped while they were read', pid };
    const { controlTimeline: known, segmentBytes, ...server } = whole;
    if (!fast.recovery && fast.insert_lsn !== null && fast.insert_timeline !== null) {
      return {
        state: 'primary',
        ...server,
        timeline: Number.parseInt(fast.insert_timeline, 16),
        insertLsn: fast.insert_lsn,
        fork: forkOf(Number.parseInt(fast.insert_timeline, 16)),
        archiver: archiverFacts(slow?.facts.archiver ?? null, fast.insert_timeline, segmentBytes),
        syncSet: parseSyncNames(fast.sync_names),
      };
    }
    if (fast.replayed_lsn === null) return { state: 'unknown', because: 'its replay position is not known yet', pid };
    const streaming = fast.receiver_status === 'streaming';
    const end = walEnd(fast, fast.replayed_lsn);
    const received = streaming ? fast.receiver_timeline : null;
    const timeline = received ?? timelineOf(pid, { known, segmentBytes, end: end ?? fast.replayed_lsn });
    return {
      state: 'standby',
      ...server,
      timeline: timeline ?? known,
      receivedLsn: receivedPosition(fast),
      replayedLsn: fast.replayed_lsn,
      // A place on no known timeline is no position.
      walEnd: timeline === null ? null : end,
      replayPaused: fast.replay_paused ?? false,
      lagS: replayLagS(fast),
      upstream: upstreamNode(fast.primary_conninfo, context.domain),
      receiver: streaming ? 'streaming' : fast.receiver_status === null ? 'none' : 'connecting',
      cannotStream: diagnosis.look(streaming),
      readsArchive: fast.reads_archive,
    };
  };

  return {
    observe,
    refresh() {
      unsettledUntilMs = clock.boottimeMs() + reloadSettlesMs;
    },
    forget() {
      slow = null;
      whole = null;
    },
  };
}
