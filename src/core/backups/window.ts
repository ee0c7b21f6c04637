/**
 * How far back one can look: the stretches of time to each moment of which the repository can restore, and what ends them.
 *
 * A backup can be recovered to from its end on, and then as far as the WAL after it is there without a gap. Invariant: nothing is
 * said to be recoverable that isn't. So the end of a stretch is the last moment whose place in the WAL is known (a heartbeat, the
 * end of a backup) and archived, and never a guess between two of them; a segment counts for the timeline that recovery would read
 * it from.
 */
import { formatLsn, type Lsn, lsnFromOffset, parseLsn } from '../lsn.ts';
import type { ArchivedRange, RepositoryBackup } from '../repository.ts';
import { parseSegment, segmentName, segmentOf, type WalSegment } from '../wal-segments.ts';
import type { Heartbeat } from './heartbeats.ts';
import { parseMoment } from './moments.ts';
import { isOnPath, type PathPart, timelineOfSegment } from './timeline-path.ts';

export interface WindowFacts {
  readonly backups: readonly RepositoryBackup[];
  /** Segments that are in the repository, in any order: each stretch of one timeline, and without a gap (`rangesOf`). */
  readonly archived: readonly ArchivedRange[];
  readonly path: readonly PathPart[];
  readonly segmentBytes: number;
  /** The more, the finer the ends are known. */
  readonly heartbeats: readonly Heartbeat[];
}

export type StretchEnd =
  /** The newest segment that is archived. */
  | { readonly because: 'archive-ends' }
  /** There is later WAL, and this segment before it is missing. */
  | { readonly because: 'wal-missing'; readonly segment: string };

export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** Where its WAL ends. */
  readonly endLsn: string;
  readonly end: StretchEnd;
  /** Labels, oldest first; the first begins it. */
  readonly backups: readonly string[];
}

export interface Unusable {
  readonly label: string;
  readonly because: 'other-timeline' | 'wal-missing' | 'prior-missing';
}

export interface RecoverableWindow {
  /** Oldest first. Between two of them one can't look. */
  readonly stretches: readonly Stretch[];
  readonly unusable: readonly Unusable[];
}

/** Names of segments as stretches without a gap; every other name is passed over. */
export function rangesOf(names: Iterable<string>, segmentBytes: number): readonly ArchivedRange[] {
  const segments = [...names].flatMap((name) => parseSegment(name, segmentBytes) ?? []);
  return named(
    merged(segments.map(({ timeline, number }) => ({ timeline, first: number, last: number }))),
    segmentBytes,
  );
}

/** Several such lists as one. */
export function joinedRanges(ranges: readonly ArchivedRange[], segmentBytes: number): readonly ArchivedRange[] {
  return named(merged(numbered(ranges, segmentBytes)), segmentBytes);
}

function named(ranges: readonly Range[], segmentBytes: number): readonly ArchivedRange[] {
  return ranges.map(({ timeline, first, last }) => ({
    first: segmentName({ timeline, number: first }, segmentBytes),
    last: segmentName({ timeline, number: last }, segmentBytes),
  }));
}

function numbered(ranges: readonly ArchivedRange[], segmentBytes: number): readonly Range[] {
  return ranges.flatMap(({ first, last }): readonly Range[] => {
    const [from, to] = [parseSegment(first, segmentBytes), parseSegment(last, segmentBytes)];
    if (from === undefined || to === undefined || from.timeline !== to.timeline) return [];
    return [{ timeline: from.timeline, first: from.number, last: to.number }];
  });
}

interface Range {
  readonly timeline: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** By timeline and number; those that touch are one. */
function merged(ranges: readonly Range[]): readonly Range[] {
  const sorted = ranges.toSorted((a, b) =>
    a.timeline === b.timeline ? Number(BigInt.asIntN(64, a.first - b.first)) : a.timeline - b.timeline,
  );
  const result: Range[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last !== undefined && last.timeline === range.timeline && range.first <= last.last + 1n) {
      result[result.length - 1] = { ...last, last: bigger(range.last, last.last) };
    } else {
      result.push(range);
    }
  }
  return result;
}

function bigger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

interface Archive extends Pick<WindowFacts, 'path' | 'segmentBytes'> {
  readonly ranges: readonly Range[];
}

function archiveOf({ archived, path, segmentBytes }: WindowFacts): Archive {
  return { ranges: merged(numbered(archived, segmentBytes)), path, segmentBytes };
}

/** Where the next timeline of the path takes over, as the number of a segment; `null`: it is the last. */
function successorAt({ path, segmentBytes }: Archive, timeline: number): bigint | null {
  const next = path[path.findIndex((part) => part.timeline === timeline) + 1];
  return next === undefined ? null : segmentOf(next.from, segmentBytes);
}

/** The first segment from there on that is not in the archive. */
function firstMissing(archive: Archive, from: bigint): bigint {
  let at = from;
  for (;;) {
    const timeline = timelineOfSegment(archive.path, at, archive.segmentBytes);
    const range = archive.ranges.find((each) => each.timeline === timeline && each.first <= at && at <= each.last);
    if (timeline === null || range === undefined) return at;
    const successor = successorAt(archive, timeline);
    at = successor !== null && successor <= range.last ? successor : range.last + 1n;
  }
}

function endAt(archive: Archive, missing: bigint): StretchEnd {
  const goesOn = archive.ranges.some(({ timeline, last }) => {
    if (!archive.path.some((part) => part.timeline === timeline)) return false;
    const successor = successorAt(archive, timeline);
    return (successor !== null && successor <= last ? successor - 1n : last) > missing;
  });
  const timeline = timelineOfSegment(archive.path, missing, archive.segmentBytes);
  if (!goesOn || timeline === null) return { because: 'archive-ends' };
  return { because: 'wal-missing', segment: segmentName({ timeline, number: missing }, archive.segmentBytes) };
}

interface Candidate {
  readonly label: string;
  readonly finishedMs: number;
  readonly stopLsn: Lsn;
  readonly first: WalSegment;
  readonly last: WalSegment;
}

function candidateOf(backup: RepositoryBackup, segmentBytes: number): Candidate | null {
  const finishedMs = parseMoment(backup.finishedAt);
  const stopLsn = parseLsn(backup.stopLsn);
  const first = parseSegment(backup.firstWal, segmentBytes);
  const last = parseSegment(backup.lastWal, segmentBytes);
  if (finishedMs === undefined || stopLsn === undefined || first === undefined || last === undefined) return null;
  return { label: backup.label, finishedMs, stopLsn, first, last };
}

/** Is everything there that it builds upon? */
function isWhole(backups: readonly RepositoryBackup[], backup: RepositoryBackup): boolean {
  let prior = backup.prior;
  for (let steps = backups.length; prior !== null && steps > 0; steps -= 1) {
    const found = backups.find(({ label }) => label === prior);
    if (found === undefined) return false;
    prior = found.prior;
  }
  return prior === null;
}

interface Usable {
  readonly candidate: Candidate;
  /** The first segment after it that is not there. */
  readonly missing: bigint;
}

function judge(facts: WindowFacts, archive: Archive, backup: RepositoryBackup): Usable | Unusable {
  const { label } = backup;
  if (!isWhole(facts.backups, backup)) return { label, because: 'prior-missing' };
  const candidate = candidateOf(backup, facts.segmentBytes);
  if (candidate === null || !isOnPath(facts.path, candidate.last.timeline, candidate.stopLsn)) {
    return { label, because: 'other-timeline' };
  }
  const missing = firstMissing(archive, candidate.first.number);
  return missing > candidate.last.number ? { candidate, missing } : { label, because: 'wal-missing' };
}

export function recoverableWindow(facts: WindowFacts): RecoverableWindow {
  const archive = archiveOf(facts);
  const judged = facts.backups.map((backup) => judge(facts, archive, backup));
  const unusable = judged.filter((each) => 'because' in each);
  const usable = judged
    .filter((each) => 'candidate' in each)
    .toSorted((a, b) => a.candidate.finishedMs - b.candidate.finishedMs);
  // Those after which the same segment is missing first are of one stretch.
  const ends = [...new Set(usable.map(({ missing }) => missing))];
  const stretches = ends.map((missing) =>
    stretchOf(
      facts,
      archive,
      missing,
      usable.filter((each) => each.missing === missing),
    ),
  );
  return { stretches: stretches.toSorted((a, b) => a.fromMs - b.fromMs), unusable };
}

function stretchOf(facts: WindowFacts, archive: Archive, missing: bigint, members: readonly Usable[]): Stretch {
  const endLsn = lsnFromOffset(missing * BigInt(facts.segmentBytes));
  const ends = members.map(({ candidate }) => candidate.finishedMs);
  const fromMs = Math.min(...ends);
  const seen = facts.heartbeats
    .filter(({ atMs, lsn, timeline }) => atMs >= fromMs && lsn <= endLsn && isOnPath(facts.path, timeline, lsn))
    .map(({ atMs }) => atMs);
  return {
    fromMs,
    toMs: Math.max(...ends, ...seen),
    endLsn: formatLsn(endLsn),
    end: endAt(archive, missing),
    backups: members.map(({ candidate }) => candidate.label),
  };
}
