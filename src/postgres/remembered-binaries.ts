/**
 * PostgreSQL's programs as the agent goes on using them: found once, and looked for again only after a while.
 *
 * Invariant: a failed search is repeated, since they may be installed while the agent runs, but never on every look.
 */
import type { Clock } from '../ports/clock.ts';
import { type Binaries, findBinaries } from './binaries.ts';

const searchAgainMs = 5_000;

/** `declared` as for `findBinaries`. What is returned throws what that throws. */
export function rememberBinaries(major: number, declared: string | null, clock: Clock): () => Promise<Binaries> {
  let found: Promise<Binaries> | null = null;
  let lastSearch: { readonly error: unknown; readonly atMs: number } | null = null;
  return async () => {
    if (lastSearch !== null && clock.boottimeMs() - lastSearch.atMs < searchAgainMs) throw lastSearch.error;
    found ??= findBinaries(major, declared).catch((error: unknown) => {
      lastSearch = { error, atMs: clock.boottimeMs() };
      found = null;
      throw error;
    });
    return found;
  };
}
