/**
 * Which generation of its password every application's server connections are of, as it was seen last.
 *
 * Invariant: what was seen of connections counts for a configuration that was in force from the beginning of the look to its end.
 */
import { type CredentialsInUse, credentialsInUse, type Served } from '../core/pooler-configuration.ts';
import type { LocalPooler } from '../ports/pooler.ts';

/** At a pooler: aliases with server connections of an earlier configuration, while it runs. */
type Look =
  | { readonly state: 'running'; readonly straggling: readonly string[] }
  | { readonly state: Exclude<LocalPooler['state'], 'running'> };

export class CredentialsSeen {
  readonly #onNews: () => void;
  #inUse: CredentialsInUse | null = null;

  /** A rotation goes on by this word: it is said at once. */
  constructor(onNews: () => void) {
    this.#onNews = onNews;
  }

  /** `null`: not known yet. */
  get inUse(): CredentialsInUse | null {
    return this.#inUse;
  }

  looked(local: Look, before: Served | null, after: Served | null): void {
    if (local.state !== 'running' || before !== after) return;
    const seen = credentialsInUse(after, local.straggling);
    if (JSON.stringify(seen) === JSON.stringify(this.#inUse)) return;
    this.#inUse = seen;
    this.#onNews();
  }
}
