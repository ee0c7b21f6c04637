/**
 * What the store keeps of the WAL in the repository: enough to say how far back one can look, and little however long it goes on.
 *
 * Invariant: what is left out makes the window shorter, and never longer: the oldest stretches of WAL go first where they are too many,
 * and of the commits whose time is known the last before each gap stays.
 */
import type { ArchivedWal, CommitMark, RepositoryRecord } from '../backup-run.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import type { ArchivedRange, RepositoryContents } from '../repository.ts';
import { type Heartbeat, withHeartbeat } from './heartbeats.ts';
import { parseMoment } from './moments.ts';
import type { PathPart } from './timeline-path.ts';
import { type RecoverableWindow, recoverableWindow } from './window.ts';

/** Each gap and each timeline makes another one. */
const rangesAtMost = 200;
const marksAtMost = 64;

function markOf({ atMs, timeline, lsn }: Heartbeat): CommitMark {
  return { atMs, timeline, lsn: formatLsn(lsn) };
}

function heartbeatsOf(marks: readonly CommitMark[]): readonly Heartbeat[] {
  return marks.flatMap(({ lsn: text, ...mark }) => {
    const lsn = parseLsn(text);
    return lsn === undefined ? [] : [{ ...mark, lsn }];
  });
}

function windowWith(
  { segmentBytes, ranges }: Pick<ArchivedWal, 'segmentBytes' | 'ranges'>,
  heartbeats: readonly Heartbeat[],
  { contents, path }: { readonly contents: RepositoryContents; readonly path: readonly PathPart[] },
): RecoverableWindow {
  return recoverableWindow({ backups: contents.backups, archived: ranges, path, segmentBytes, heartbeats });
}

/** `null`: what WAL there is is not known. */
export function windowOf(
  { archive, contents, safeUntil }: Pick<RepositoryRecord, 'archive' | 'contents' | 'safeUntil'>,
  path: readonly PathPart[],
): RecoverableWindow | null {
  if (archive === null) return null;
  const window = windowWith(archive, heartbeatsOf(archive.marks), { contents, path });
  const newest = window.stretches.at(-1);
  const safeMs = parseMoment(safeUntil ?? '') ?? Number.NEGATIVE_INFINITY;
  // Whoever listed the archive has archived on from where it ended, one segment after the other.
  if (newest === undefined || newest.end.because !== 'archive-ends' || safeMs <= newest.toMs) return window;
  return { ...window, stretches: window.stretches.with(-1, { ...newest, toMs: safeMs }) };
}

export interface SeenArchive {
  readonly segmentBytes: number;
  readonly ranges: readonly ArchivedRange[];
  readonly contents: RepositoryContents;
  readonly path: readonly PathPart[];
  /** The newest commit that is known to be archived. */
  readonly newest: Heartbeat | null;
  readonly before: ArchivedWal | null;
}

export function archivedWal({ before, contents, newest, path, ranges, segmentBytes }: SeenArchive): ArchivedWal {
  const seen = { segmentBytes, ranges: ranges.slice(-rangesAtMost) };
  const known = heartbeatsOf(before?.marks ?? []);
  const isNew = newest !== null && newest.atMs > (known.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY);
  if (!isNew) return { ...seen, marks: before?.marks ?? [] };
  const { stretches } = windowWith(seen, [...known, newest], { contents, path });
  const ends = new Set(stretches.map(({ toMs }) => toMs));
  const thinned = new Set(withHeartbeat(known, newest, marksAtMost));
  const kept = [...known, newest].filter((mark) => thinned.has(mark) || ends.has(mark.atMs));
  return { ...seen, marks: kept.map(markOf) };
}
