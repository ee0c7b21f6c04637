/**
 * Refuses to recover a cluster that still lives: the recovered one would archive into the same repository, and have another truth.
 *
 * What is asked is the archive alone, since everything else is said to be lost: no more is claimed than that nothing comes in.
 */
import { segmentBytesOf } from '../core/backups/segment-size.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Repository } from '../ports/repository.ts';
import type { RestorePlan } from '../restoring/restore-directory.ts';
import { type ArchiveRest, watchArchive } from '../restoring/still-archiving.ts';
import type { Call } from './call.ts';
import { spanText } from './words.ts';

/** A hundred thousand names take a few seconds. */
const listWithinMs = 600_000;

export interface FenceWish {
  /** Somebody vouches for it. */
  readonly isGone: boolean;
  /** Nothing is to be given the cluster's place: it is only told. */
  readonly onlyTells: boolean;
}

/** What the plan says of it; `null`: it was not looked at. Throws REFUSED when somebody archives. */
export async function requireAtRest(
  { signal, sleep, terminal }: Call,
  repository: Repository,
  { backup, wish }: RestorePlan,
  { isGone, onlyTells }: FenceWish,
): Promise<ArchiveRest | null> {
  if (isGone) {
    if (!terminal.json) terminal.print('cluster   taken as gone, by --cluster-is-gone');
    return null;
  }
  const rest = await watchArchive(
    repository,
    {
      ...{ segmentBytes: segmentBytesOf([backup]) ?? wish.usualSegmentBytes, waits: !onlyTells, sleep },
      nowMs: () => Date.now(),
      onWait: ({ newest, at }, ms) => {
        if (terminal.json) return;
        const text = `${newest} came at ${at ?? 'an unknown time'}: looking for ${spanText(ms)} whether more comes`;
        terminal.print(`cluster   ${text}`);
      },
    },
    { withinMs: listWithinMs, signal },
  );
  if (rest.found === 'moves') {
    throw new UnderstudyError('REFUSED', `the cluster lives: ${rest.newest} was archived meanwhile`, {
      hint: 'end it everywhere first; if it is something else that archives there, and the cluster is gone: --cluster-is-gone',
    });
  }
  if (!terminal.json) terminal.print(`cluster   ${restText(rest)}`);
  return rest;
}

function restText({ at, found, newest }: ArchiveRest): string {
  if (newest === null) return 'nothing is archived';
  const last = `${newest}, of ${at ?? 'an unknown time'}`;
  return found === 'young'
    ? `may still live: the newest WAL is ${last}. What lives may not be recovered beside itself`
    : `nothing more is archived: the newest WAL is ${last}`;
}
