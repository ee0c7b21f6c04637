/**
 * The way that the WAL took to where the cluster is now: which timeline was written from where to where. What a timeline
 * has past the fork where another left it is of a former primary, and not of the past that can be opened.
 */
import { type Lsn, lsnFromOffset, parseLsn } from '../lsn.ts';
import { segmentOf } from '../wal-segments.ts';

/** As the store's records of timelines say it, or PostgreSQL's history files. */
export interface Fork {
  readonly timeline: number;
  /** `null`: the cluster's first. */
  readonly parent: number | null;
  /** Where it left its parent. */
  readonly forkLsn: string;
}

export interface PathPart {
  readonly timeline: number;
  readonly from: Lsn;
  /** `null`: it is written now. */
  readonly to: Lsn | null;
}

/** Oldest first; what lies before a timeline of which nothing is known is left out. */
export function timelinePath(forks: Iterable<Fork>, timeline: number): readonly PathPart[] {
  const known = new Map<number, Fork>();
  // A holder may take further terms without leaving its timeline: the first of them left the parent.
  for (const fork of forks) if (!known.has(fork.timeline)) known.set(fork.timeline, fork);
  const path: PathPart[] = [];
  let [at, to]: [number | null, Lsn | null] = [timeline, null];
  while (at !== null && !path.some((part) => part.timeline === at)) {
    const fork = known.get(at);
    const parent = fork?.parent ?? null;
    const left = parent === null ? lsnFromOffset(0n) : parseLsn(fork?.forkLsn ?? '');
    if (left === undefined) break;
    path.unshift({ timeline: at, from: left, to });
    [at, to] = [parent, left];
  }
  return path;
}

/** Does the WAL up to a position of a timeline belong to the path? */
export function isOnPath(path: readonly PathPart[], timeline: number, lsn: Lsn): boolean {
  return path.some((part) => part.timeline === timeline && lsn >= part.from && (part.to === null || lsn <= part.to));
}

/**
 * Of which timeline a segment is read: the newest that had begun in it, since a new timeline's first segment begins with what
 * the old one had (xlogrecovery.c, XLogFileReadAnyTLI).
 */
export function timelineOfSegment(path: readonly PathPart[], number: bigint, segmentBytes: number): number | null {
  return path.findLast((part) => segmentOf(part.from, segmentBytes) <= number)?.timeline ?? null;
}

/**
 * By a timeline's history file: a line for each that came before it, with the place where that was left (timeline.c). What is
 * no such line is passed over.
 */
export function pathOfHistory(timeline: number, text: string): readonly PathPart[] {
  const path: PathPart[] = [];
  let from = lsnFromOffset(0n);
  for (const line of text.split('\n')) {
    const [, parent, left = ''] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    const to = parseLsn(left);
    if (parent === undefined || to === undefined) continue;
    path.push({ timeline: Number(parent), from, to });
    from = to;
  }
  return [...path, { timeline, from, to: null }];
}
