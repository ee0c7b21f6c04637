/**
 * Passwords that the server has and the store not yet, since a standby lags: the next attempt goes on with the same one.
 *
 * Invariant: one is used again only where the server's login is open with that very verifier, and its node's sealing certificate is
 * the one that it was sealed to. Not kept beyond the process: whoever begins anew makes another password.
 */

import type { Lsn } from '../core/lsn.ts';
import type { LoginFacts } from '../core/rules/credentials.ts';
import type { FreshCredential } from '../ports/credentials.ts';

export interface PendingCredential {
  readonly generation: number;
  readonly fresh: FreshCredential;
  /** Revision of the sealing certificate's record; `null`: there is none. */
  readonly sealing: number | null;
  /** A standby that has replayed up to there knows it. */
  readonly mark: Lsn;
}

export class PendingCredentials {
  readonly #byRole = new Map<string, PendingCredential>();

  /** `null`: none that is still good. */
  of(
    role: string,
    wanted: Pick<PendingCredential, 'generation' | 'sealing'>,
    login: LoginFacts | undefined,
  ): PendingCredential | null {
    const known = this.#byRole.get(role);
    const isGood =
      known !== undefined &&
      known.generation === wanted.generation &&
      known.sealing === wanted.sealing &&
      login?.canLogin === true &&
      login.verifierDigest === known.fresh.verifierDigest;
    if (isGood) return known;
    this.#byRole.delete(role);
    return null;
  }

  keep(role: string, pending: PendingCredential): void {
    this.#byRole.set(role, pending);
  }

  forget(role: string): void {
    this.#byRole.delete(role);
  }
}
