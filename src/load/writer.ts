/**
 * One writer: makes one attempt after another through one pooler, and writes each down.
 *
 * Its states: without a session it opens one, and what it was about to do has failed if nobody lets it in; with one it
 * performs; when a performance has cost the session, it is without one again. After anything but success it waits, twice
 * as long each time up to a bound, so that an outage is neither hammered nor slept through.
 * Never repeats an attempt: the next one has another id.
 */
import type { ClientConfig } from 'pg';
import type { CommitLevel, Ending } from '../history/attempt.ts';
import type { Clock } from '../ports/clock.ts';
import type { AttemptLog } from './attempt-log.ts';
import { endingBeforeCommit } from './ending.ts';
import type { Pace } from './pace.ts';
import { openSession, type Session } from './session.ts';
import type { Draw, Task } from './task.ts';

export interface WriterParts {
  readonly writer: number;
  readonly source: number;
  readonly connect: ClientConfig;
  readonly commit: CommitLevel;
  /** Taken in turn. */
  readonly deals: readonly (() => Task)[];
  readonly pace: Pace;
  readonly log: AttemptLog;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly withinMs: number;
  readonly draw: Draw;
}

const firstPauseMs = 20;
const longestPauseMs = 500;

/** `stopping`: no further attempt is begun. `cutting`: whatever is under way ends as it stands. */
export async function write(parts: WriterParts, stopping: AbortSignal, cutting: AbortSignal): Promise<void> {
  const { deals, log, pace, writer } = parts;
  let session: Session | null = null;
  let failures = 0;
  try {
    for (let turn = writer; !stopping.aborted && !log.isFull(); turn += 1) {
      await pace.turn(stopping);
      const task = deals[turn % deals.length]?.();
      if (task === undefined) return;
      const made = await attempt(parts, task, session, cutting);
      session = made.session;
      failures = made.ending.outcome === 'ok' ? 0 : failures + 1;
      if (failures > 0) await parts.clock.sleep(pauseMs(failures, parts.draw), stopping);
    }
  } catch (error) {
    // Waits end by it; attempts don't throw.
    if (!stopping.aborted) throw error;
  } finally {
    session?.close();
  }
}

async function attempt(
  parts: WriterParts,
  task: Task,
  current: Session | null,
  cutting: AbortSignal,
): Promise<{ readonly session: Session | null; readonly ending: Ending }> {
  const { clock, commit, connect, log, source, startedMs, withinMs, writer } = parts;
  const nowMs = (): number => Math.round((clock.boottimeMs() - startedMs) * 10) / 10;
  const beganMs = nowMs();
  let session = current;
  let ending: Ending;
  try {
    // It may have ended between two attempts, when nothing was on its way: that failed nobody.
    if (session?.isOpen() !== true) session = await openSession(connect, withinMs, cutting);
    ending = await task.perform(session, commit);
  } catch (error) {
    ending = endingBeforeCommit(error);
  }
  const endedMs = nowMs();
  log.add(task.attempt({ writer, source, commit, beganMs, endedMs }, ending));
  return { session: session?.isOpen() === true ? session : null, ending };
}

/** Half of it is chance, so that writers that failed together do not come back together. */
function pauseMs(failures: number, draw: Draw): number {
  const whole = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
  return whole / 2 + (draw() * whole) / 2;
}
