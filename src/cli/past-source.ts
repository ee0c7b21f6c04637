/**
 * From what the past of a moment is made here: from the delayed standby that this node is, or from the repository.
 *
 * Invariant: a refusal says what would be possible, by either of them.
 */
import type { NotPossible } from '../core/backups/choice.ts';
import { decidePastSource, type Onward, reachText } from '../core/backups/past-source.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { isForward } from '../past/moving.ts';
import { type InstanceRecord, type PastTarget, sourceOf } from '../past/scratch.ts';
import type { FromRepository, FromStandby, PastWish } from '../past/wish.ts';
import { type SeenStandby, seeStandby } from '../restoring/delayed-standby.ts';
import type { PastPlace } from './past-place.ts';

const lookWithinMs = 60_000;

/** What was asked for is later than what is archived, or received. */
export class NotArchivedError extends UnderstudyError {
  /** In ms; `null`: nobody knows how far that goes. */
  readonly archivedToMs: number | null;

  constructor(
    message: string,
    archivedToMs: number | null,
    options: { readonly hint: string; readonly cause?: unknown },
  ) {
    super('REFUSED', message, options);
    this.archivedToMs = archivedToMs;
  }
}

/** `null`: this node is none, or can't serve as one now. Throws REFUSED with the reason where there is nothing else. */
export async function seenStandby(
  { hasRepository, parts, standby }: PastPlace,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<SeenStandby | null> {
  const hint = 'leave --source out, or call it on the node with `delay`';
  if (standby === null) {
    if (wanted !== 'standby') return null;
    throw new UnderstudyError('REFUSED', `${parts.node} is no delayed standby`, { hint });
  }
  if (wanted === 'repository') return null;
  const seen = await seeStandby(standby, parts.clock, { withinMs: lookWithinMs, signal });
  if (!('unfit' in seen)) return seen;
  if (hasRepository && wanted === null) return null;
  throw new UnderstudyError('REFUSED', seen.unfit, hasRepository ? { hint } : { hint: 'no backups are declared' });
}

/** Throws REFUSED where no backups are declared. */
export function requireRepository({ hasRepository }: PastPlace): void {
  if (!hasRepository) throw new UnderstudyError('REFUSED', 'no backups are declared', { hint: 'declare `backups`' });
}

export type Wanted = 'standby' | 'repository' | null;

export interface SourceWish {
  readonly wanted: Wanted;
  /** That is to be moved; `null`: a new one is opened. */
  readonly moving: InstanceRecord | null;
}

/** Throws REFUSED with what would be possible, and what the repository's state says. */
export async function sourceFor(
  place: PastPlace,
  target: PastTarget,
  { moving, wanted }: SourceWish,
  signal: AbortSignal,
): Promise<PastWish['source']> {
  const seen = await seenStandby(place, wanted, signal);
  if (seen === null) return await fromRepository(place, target, signal);
  const { reach, ...standby } = seen;
  const { hasRepository } = place;
  const facts = { target, standby: reach, hasRepository, standbyAlone: wanted === 'standby' };
  const decided = decidePastSource({ ...facts, onward: onwardOf(moving, target) });
  if ('refused' in decided) {
    const hint = hasRepository ? reachText(reach) : `${reachText(reach)}; no backups are declared`;
    throw decided.isLater
      ? new NotArchivedError(decided.refused, decided.archivedToMs, { hint })
      : new UnderstudyError('REFUSED', decided.refused, { hint });
  }
  const copied = (because: string): FromStandby => ({ ...standby, from: 'standby', because });
  if (decided.from === 'standby') return copied(decided.because);
  try {
    return await fromRepository(place, target, signal);
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    if (decided.instead !== null) return copied(decided.instead);
    throw alsoSaying(error, decided);
  }
}

function onwardOf(moving: InstanceRecord | null, target: PastTarget): Onward | null {
  if (moving === null || !isForward(moving, target)) return null;
  return { from: sourceOf(moving), reachedLsn: moving.reached?.lsn ?? null };
}

function alsoSaying(
  error: UnderstudyError,
  { besides, servesToMs }: { readonly besides: string; readonly servesToMs: number | null },
): UnderstudyError {
  const hint = error.hint === null ? besides : `${error.hint}; ${besides}`;
  const options = { cause: error, hint };
  if (!(error instanceof NotArchivedError)) return new UnderstudyError(error.code, error.message, options);
  const { archivedToMs } = error;
  const latest = archivedToMs === null || servesToMs === null ? archivedToMs : Math.max(archivedToMs, servesToMs);
  return new NotArchivedError(error.message, latest, options);
}

/** What is nearest before it. Throws REFUSED with what would be possible, and what the repository's state says. */
async function fromRepository(place: PastPlace, target: PastTarget, signal: AbortSignal): Promise<FromRepository> {
  requireRepository(place);
  const { findSource } = await import('../restoring/source.ts');
  const found = await findSource(place, target, { withinMs: lookWithinMs, signal });
  if ('notPossible' in found) throw await outside(found.notPossible);
  const { backup, timeline, walBytes } = found.source;
  return { from: 'repository', backup, timeline, walBytes };
}

async function outside(notPossible: NotPossible): Promise<UnderstudyError> {
  const { windowHint } = await import('./restore-run.ts');
  const possible = windowHint(notPossible);
  const hint = possible === null ? 'make one: understudy backup now' : `${possible}: understudy backup list`;
  const { because, newest, text } = notPossible;
  if (because !== 'too-late') return new UnderstudyError('REFUSED', text, { hint });
  const later = `${hint}; what is newer may be archived within a minute`;
  return new NotArchivedError(text, newest === null ? null : Date.parse(newest), { hint: later });
}

/** Recovery came to the end of what there is: as a refusal, with what it found there. */
export function asRefusal(error: unknown, { from }: Pick<PastWish['source'], 'from'>): unknown {
  if (!(error instanceof UnderstudyError) || error.code !== 'RESTORE_FAILED') return error;
  if (!error.message.includes('recovery ended before configured recovery target was reached')) return error;
  const last = /last completed transaction was at log time ([^\n]+)/.exec(error.message)?.[1];
  const known = last === undefined ? '' : `; the newest commit in it is of ${last}`;
  // `log_timezone` is UTC there. A target is reached only where a later commit is replayed.
  const lastMs = Date.parse(`${last?.replace(' ', 'T')}:00`) - 1;
  const [what, hint] =
    from === 'standby'
      ? ['what the delayed standby has received', 'name an earlier one']
      : ['the archive', 'name an earlier one; what is newer may be archived within a minute: understudy backup list'];
  return new NotArchivedError(`${what} ends before that moment${known}`, Number.isNaN(lastMs) ? null : lastMs, {
    hint,
  });
}
