/**
 * Which generation of its password every application's server connections are of, and whose clients are connected by the password before, as it
 * was seen last.
 *
 * Invariant: what was seen of connections counts for a configuration that was in force from the beginning of the look to its end.
 */
import { type CredentialsInUse, credentialsInUse, type Served } from '../core/pooler-configuration.ts';
import type { ApplicationName } from '../core/spec.ts';
import type { LocalPooler } from '../ports/pooler.ts';

/** At a pooler: aliases with server connections of an earlier configuration, while it runs. */
type Look =
  | {
      readonly state: 'running';
      readonly straggling: readonly string[];
      readonly formerClients: Readonly<Record<ApplicationName, number>>;
    }
  | { readonly state: Exclude<LocalPooler['state'], 'running'> };

export class CredentialsSeen {
  readonly #onNews: () => void;
  #inUse: CredentialsInUse | null = null;
  #former = applicationsWithClients({});

  /** A rotation goes on by this word, or is refused: it is said at once. */
  constructor(onNews: () => void) {
    this.#onNews = onNews;
  }

  /** `null`: not known yet. */
  get inUse(): CredentialsInUse | null {
    return this.#inUse;
  }

  looked(local: Look, before: Served | null, after: Served | null): void {
    if (local.state !== 'running') return;
    const seen = before === after ? credentialsInUse(after, local.straggling) : this.#inUse;
    const former = applicationsWithClients(local.formerClients);
    if (JSON.stringify(seen) === JSON.stringify(this.#inUse) && former === this.#former) return;
    this.#inUse = seen;
    this.#former = former;
    this.#onNews();
  }
}

/** How many there are changes with every one of them, and keeps for the next ordinary report. */
function applicationsWithClients(clients: Readonly<Record<ApplicationName, number>>): string {
  const connected = Object.entries(clients).filter(([, count]) => count > 0);
  return JSON.stringify(connected.map(([application]) => application).sort());
}
