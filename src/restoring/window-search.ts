/**
 * How far back one can look by the repository alone: for verbs that ask no agent and no store, since these may be what is lost.
 *
 * Invariant: what lies outside of it can't be recovered to. No commit is known here by its time, so a stretch ends when its last
 * segment was put into the repository, which is after the last commit in it: what lies shortly before that end recovery itself may
 * still refuse. Bounded: a window that takes too long to find is none.
 */
import { segmentBytesOf } from '../core/backups/segment-size.ts';
import { type PathPart, timelineOfSegment, timelinePath } from '../core/backups/timeline-path.ts';
import { type RecoverableWindow, recoverableWindow, type Stretch } from '../core/backups/window.ts';
import { parseLsn } from '../core/lsn.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { segmentName } from '../core/wal-segments.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { Repository } from '../ports/repository.ts';

export type SearchedRepository = Pick<Repository, 'archivedRanges' | 'archivedAt'>;

export interface FoundWindow {
  /** `null`: the archive could not be looked through, or not in time. A stretch of which nobody knows when it ends has no end (`Infinity`). */
  readonly window: RecoverableWindow | null;
  readonly segmentBytes: number;
}

/** Of what the repository's clock says; servers whose clocks differ by more have other troubles. */
export const clockMarginMs = 10_000;

/** A hundred thousand names take a few seconds. */
const searchWithinMs = 30_000;
/** Each asks once more; of older ones the end is not looked for. */
const endsAtMost = 8;

/** `usualSegmentBytes`: where the backups don't tell. Throws what a cancelled search throws, and nothing else. */
export async function searchWindow(
  repository: SearchedRepository,
  { contents, path: known }: { readonly contents: RepositoryContents; readonly path: readonly PathPart[] },
  { usualSegmentBytes, ...options }: ActOptions & { readonly usualSegmentBytes: number },
): Promise<FoundWindow> {
  const { backups } = contents;
  const segmentBytes = segmentBytesOf(backups) ?? usualSegmentBytes;
  if (backups.length === 0) return { window: null, segmentBytes };
  const endsAt = performance.now() + Math.min(options.withinMs, searchWithinMs);
  const bounded = (): ActOptions => ({ ...options, withinMs: Math.max(1, endsAt - performance.now()) });
  try {
    const archived = await repository.archivedRanges(segmentBytes, bounded());
    const path = known.length > 0 ? known : onlyTimeline(contents);
    if (path === null) return { window: null, segmentBytes };
    const found = recoverableWindow({ backups, archived, path, segmentBytes, heartbeats: [] });
    const stretches: Stretch[] = [];
    for (const [index, stretch] of found.stretches.entries()) {
      const next = found.stretches[index + 1];
      const isAsked = found.stretches.length - index <= endsAtMost;
      const last = isAsked ? lastSegment(stretch, path, segmentBytes) : null;
      const at = last === null ? null : await repository.archivedAt(last, bounded());
      const mostMs = next?.fromMs ?? Number.POSITIVE_INFINITY;
      const endMs = at === null ? mostMs : Math.min(Date.parse(at), mostMs);
      stretches.push({ ...stretch, toMs: Math.max(stretch.toMs, endMs) });
    }
    return { window: { ...found, stretches }, segmentBytes };
  } catch (error) {
    if (!isUnderstudyError(error) || options.signal?.aborted === true) throw error;
    return { window: null, segmentBytes };
  }
}

/** Of backups without any history beside them; `null`: how theirs follow each other nobody knows. */
function onlyTimeline({ backups }: RepositoryContents): readonly PathPart[] | null {
  const [first, ...others] = new Set(backups.map(({ lastWal }) => Number.parseInt(lastWal.slice(0, 8), 16)));
  return first === undefined || others.length > 0
    ? null
    : timelinePath([{ timeline: first, parent: null, forkLsn: '0/0' }], first);
}

function lastSegment({ endLsn }: Stretch, path: readonly PathPart[], segmentBytes: number): string | null {
  const lsn = parseLsn(endLsn);
  if (lsn === undefined || lsn === 0n) return null;
  const number = (lsn - 1n) / BigInt(segmentBytes);
  const timeline = timelineOfSegment(path, number, segmentBytes);
  return timeline === null ? null : segmentName({ timeline, number }, segmentBytes);
}
