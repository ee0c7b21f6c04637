/**
 * What a target is recovered from: the backup that is nearest before it, and the way that the WAL takes from there.
 *
 * Invariant: the repository is asked anew each time, before anything is touched; only how far back one can look may be known from before.
 */
import { type Choice, type ChoiceFacts, type Chosen, chooseBackup, type NotPossible } from '../core/backups/choice.ts';
import type { Target } from '../core/backups/target.ts';
import type { PathPart } from '../core/backups/timeline-path.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { Repository } from '../ports/repository.ts';
import { clockMarginMs, type SearchedRepository, searchWindow } from './window-search.ts';

export type KnownWindow = Pick<ChoiceFacts, 'window' | 'segmentBytes' | 'clockMarginMs'>;

export interface Found {
  readonly contents: RepositoryContents;
  readonly path: readonly PathPart[];
}

export interface SourceParts extends Pick<ChoiceFacts, 'label'> {
  readonly repository: Pick<Repository, 'contents' | 'newestPath'>;
  readonly windowOf: (found: Found, options: ActOptions) => Promise<KnownWindow>;
}

export interface Source extends Chosen, Pick<KnownWindow, 'window'> {
  /** The newest, by number: PostgreSQL's own search for it ends at the first number that was left out. `latest`: the archive has the first alone. */
  readonly timeline: number | 'latest';
}

/** By what the repository itself tells. `usualSegmentBytes`: where the backups don't. */
export function searchedWindow(repository: SearchedRepository, usualSegmentBytes: number): SourceParts['windowOf'] {
  return async (found, options) => ({
    ...(await searchWindow(repository, found, { ...options, usualSegmentBytes })),
    clockMarginMs,
  });
}

/** Throws REPOSITORY_UNREACHABLE, and what `newestPath` throws. */
export async function findSource(
  { label, repository, windowOf }: SourceParts,
  target: Target,
  options: ActOptions,
): Promise<{ readonly source: Source } | { readonly notPossible: NotPossible }> {
  const contents = await repository.contents(options);
  if (contents.state === 'unreachable') throw new UnderstudyError('REPOSITORY_UNREACHABLE', contents.trouble ?? '');
  const path = await repository.newestPath(options);
  const known = await windowOf({ contents, path }, options);
  const choice: Choice = chooseBackup({ contents, path, label, ...known }, target);
  if ('notPossible' in choice) return choice;
  return { source: { ...choice.chosen, window: known.window, timeline: path.at(-1)?.timeline ?? 'latest' } };
}
