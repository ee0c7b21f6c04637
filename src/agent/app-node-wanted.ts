/**
 * What database agents say that this app node should be, with the passwords that go with it: those that were sealed to it, and
 * those that it makes for its own clients.
 *
 * Invariant: a declaration of a lower revision than the one that is known is none, and a password that is known gives way to a newer one
 * alone: agents differ for a moment after every change.
 */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import { newerCredentials } from '../core/credential.ts';
import type { ClientLogins } from '../ports/client-logins.ts';
import type { CredentialKeeper } from '../ports/credentials.ts';

export type Wanted = NonNullable<TopologyMessage['configuration']>;

export class WantedConfiguration {
  readonly #secrets: CredentialKeeper;
  readonly #clientLogins: Pick<ClientLogins, 'reach'>;
  #known: Wanted | null = null;

  constructor(secrets: CredentialKeeper, clientLogins: Pick<ClientLogins, 'reach'>) {
    this.#secrets = secrets;
    this.#clientLogins = clientLogins;
  }

  /** As it was told; `null` before the first. */
  get known(): Wanted | null {
    return this.#known;
  }

  /** Answers whether it counts. */
  hear(told: Wanted): boolean {
    const revision = this.#known?.specRevision ?? 0;
    if (told.specRevision < revision) return false;
    const laterDeclared = told.specRevision > revision ? told.applications.map(({ name }) => name) : null;
    const credentials = newerCredentials(
      this.#known?.credentials ?? this.#secrets.kept,
      told.credentials,
      laterDeclared,
    );
    this.#known = { ...told, credentials };
    this.#secrets.keep(credentials);
    return true;
  }

  /** With the passwords for clients that there are by now, whichever are asked for. */
  reached(): Wanted | null {
    const known = this.#known;
    if (known === null) return null;
    const declared = new Set(known.applications.map(({ name }) => name));
    const credentials = known.credentials.map((one) => {
      if (!declared.has(one.application)) return one;
      return { ...one, clientPassword: this.#clientLogins.reach(one.application, one.clientPassword) };
    });
    return { ...known, credentials };
  }
}
