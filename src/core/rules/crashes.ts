/**
 * How often this node's primary went down by itself, and what that means for its next start.
 *
 * Invariant: crash -> restart -> crash never goes on for ever: after a few of them somebody else takes over, and where
 * nobody can, each start waits longer than the last. On a full disk crash recovery succeeds, since it recycles WAL, and
 * the next large write is a PANIC again: there the first crash is enough, if others have room.
 * Does not count what this agent stopped itself in a switchover: that ends clean.
 */
import type { ClusterView } from '../cluster-view.ts';
import { type CrashMarks, noCrashes } from '../crash-marks.ts';
import type { DatabaseMemory } from '../memory.ts';
import type { Situation } from '../situation.ts';
import { hasSuccessors, leastDiskBytes } from './successors.ts';

/** Crashes as far back as this belong together, in ms. */
const togetherMs = 300_000;
/** One may be chance and its restart is the quickest way back; the third in a few minutes is none. */
const mostCrashes = 2;
const longestPauseMs = 30_000;

export function watchCrashes({ postgres, nowMs }: ClusterView, { crashes }: DatabaseMemory): CrashMarks {
  switch (postgres.state) {
    case 'primary':
      return crashes.running === postgres.pid ? crashes : { ...crashes, running: postgres.pid };
    case 'stopped': {
      if (crashes.running === null) return crashes;
      const recent = crashes.at.filter((atMs) => nowMs - atMs < togetherMs);
      return { running: null, at: postgres.shutdown === 'crashed' ? [...recent, nowMs] : recent };
    }
    case 'standby':
    case 'absent':
      return noCrashes;
    default:
      return crashes;
  }
}

/** Why this node should not be primary again now, though it could start; `null`: let it start. */
export function whyNotAgain(situation: Situation): string | null {
  const { view } = situation;
  const recent = recentCrashes(situation);
  if (recent.length === 0 || !hasSuccessors(situation)) return null;
  if (recent.length > mostCrashes)
    return `PostgreSQL went down ${recent.length} times within ${togetherMs / 60_000} minutes`;
  const isFull = view.diskFreeBytes !== null && view.diskFreeBytes < leastDiskBytes;
  return isFull ? 'PostgreSQL went down on a full disk, and others have room' : null;
}

/** How long the next start waits, in ms, when nobody else can be primary; 0: not at all. */
export function pauseBeforeStartMs(situation: Situation): number {
  const recent = recentCrashes(situation);
  const last = recent.at(-1);
  if (last === undefined || recent.length <= mostCrashes) return 0;
  const pauseMs = Math.min(longestPauseMs, 1_000 * 2 ** (recent.length - mostCrashes));
  return Math.max(0, last + pauseMs - situation.nowMs);
}

function recentCrashes({ memory, nowMs }: Situation): readonly number[] {
  return memory.crashes.at.filter((atMs) => nowMs - atMs < togetherMs);
}
