/**
 * Looks what a repository holds, for somebody who waits only briefly.
 *
 * Invariant: that it took longer says nothing of the repository: pgBackRest waits some seconds for each of several attempts. What was
 * begun is ended.
 */
import type { RepositoryContents } from '../core/repository.ts';
import type { Clock } from '../ports/clock.ts';
import type { Repository } from '../ports/repository.ts';

/** All its attempts, in ms. */
const mostMs = 60_000;

/** Throws what `contents` throws in time. */
export async function lookBriefly(
  repository: Pick<Repository, 'contents'>,
  clock: Pick<Clock, 'sleep'>,
  { signal, withinMs }: { readonly signal: AbortSignal; readonly withinMs: number },
): Promise<RepositoryContents | 'not-in-time'> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const looking = repository.contents({ withinMs: mostMs, signal: both });
  const waiting = clock.sleep(withinMs, both).then(
    () => 'not-in-time' as const,
    () => 'not-in-time' as const,
  );
  try {
    return await Promise.race([looking, waiting]);
  } finally {
    over.abort();
    // Nobody hears any more how it ended.
    looking.catch(() => undefined);
  }
}
