/** The credentials that this agent shows now, and who has to know when there are others. */
import type { Credentials } from './credential-files.ts';

export class OwnCredentials {
  #current: Credentials;
  readonly #listeners = new Set<() => void>();

  constructor(first: Credentials) {
    this.#current = first;
  }

  /** The same object as long as they are the same. */
  current = (): Credentials => this.#current;

  replace(next: Credentials): void {
    this.#current = next;
    for (const listener of [...this.#listeners]) listener();
  }

  onRenewal = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
