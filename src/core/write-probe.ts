/**
 * Does the primary still do what it is there for? A look at a server reads its memory over an old session; neither a
 * disk that hangs nor a postmaster that lets nobody in shows there. A probe logs in anew and waits for a flushed record.
 *
 * Invariants: a server whose WAL goes on to disk is never called useless, whoever else can't get in; one probe alone
 * says nothing, and neither do probes of an earlier server; what was not probed is not known to be useless.
 * Exhausted connections and a full disk are trouble for people, not reasons to move the primary by themselves.
 */
import { unreachable } from './exhausted-union.ts';

/** What one attempt to log in and write came to. */
export type WriteProbe =
  | { readonly came: 'written'; readonly tookMs: number }
  /** Nobody gets in any more, but somebody's WAL was flushed meanwhile: slow, and of use. */
  | { readonly came: 'advancing'; readonly text: string }
  /** The door is shut (no connection is left, no socket is there), which says nothing of the work behind it. */
  | { readonly came: 'barred'; readonly text: string }
  /** No answer in time, and nothing was flushed meanwhile. */
  | { readonly came: 'silent'; readonly text: string }
  /** An answer, and it is that the write can't be done. */
  | { readonly came: 'refused'; readonly text: string }
  /** Says nothing of a primary: it starts, stops, or is none. */
  | { readonly came: 'moot'; readonly text: string };

/** The last probe of a server, and when it ended, in boottime ms. */
export interface SeenProbe {
  readonly pid: number;
  readonly begunAtMs: number;
  readonly endedAtMs: number;
  readonly probe: WriteProbe;
}

/** Probes of one server that failed in a row. */
export interface FailingProbes {
  readonly pid: number;
  /** When the first of them was sent. */
  readonly sinceMs: number;
  /** The end of the last one that was counted. */
  readonly lastAtMs: number;
  readonly times: number;
  readonly text: string;
}

/**
 * So long must all probes fail, in ms. A checkpoint that syncs gigabytes to a slow disk holds up commits for seconds,
 * and ending the server then would make it worse: a crash recovery on that very disk.
 */
export const uselessAfterMs = 15_000;
const uselessAfterTimes = 3;

/** Folds the newest probe into what was remembered; `null`: nothing is wrong, as far as is known. */
export function countProbe(before: FailingProbes | null, seen: SeenProbe | null): FailingProbes | null {
  if (seen === null) return before;
  const same = before?.pid === seen.pid ? before : null;
  switch (seen.probe.came) {
    case 'written':
    case 'advancing':
      return null;
    case 'barred':
    case 'moot':
      return same;
    case 'silent':
    case 'refused': {
      if (same !== null && seen.endedAtMs <= same.lastAtMs) return same;
      const { pid, endedAtMs: lastAtMs, probe } = seen;
      return {
        pid,
        sinceMs: same?.sinceMs ?? seen.begunAtMs,
        lastAtMs,
        times: (same?.times ?? 0) + 1,
        text: probe.text,
      };
    }
    default:
      return unreachable(seen.probe);
  }
}

/** Is the server with this process id of no use, by all that was tried? */
export function isUseless(failing: FailingProbes | null, pid: number): failing is FailingProbes {
  return (
    failing !== null &&
    failing.pid === pid &&
    failing.times >= uselessAfterTimes &&
    failing.lastAtMs - failing.sinceMs >= uselessAfterMs
  );
}

/** What people should know of, in one line; `null`: nothing. */
export function probeTrouble(seen: SeenProbe | null, pid: number): string | null {
  if (seen === null || seen.pid !== pid) return null;
  return 'text' in seen.probe && seen.probe.came !== 'moot' ? seen.probe.text : null;
}
