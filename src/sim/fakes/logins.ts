/**
 * The login roles of a simulated cluster: one catalogue for all of its servers, since what is under test is who is primary,
 * and not the replay of a row.
 */
import type { LoginRole } from '../../core/application-roles.ts';
import type { LoginFacts } from '../../core/rules/credentials.ts';
import type { NodeName } from '../../core/spec.ts';
import type { CredentialMaker } from '../../ports/credentials.ts';

export class FakeLogins {
  readonly #logins = new Map<string, LoginFacts>();

  get all(): readonly LoginFacts[] {
    return [...this.#logins.values()];
  }

  declare(roles: readonly LoginRole[]): void {
    for (const { name, mayLogIn } of roles) {
      const found = this.#logins.get(name);
      const canLogin = mayLogIn === 'as-it-is' ? (found?.canLogin ?? false) : mayLogIn;
      this.#logins.set(name, { role: name, canLogin, verifierDigest: found?.verifierDigest ?? null });
    }
  }

  /** A simulated verifier is its own digest. */
  open(role: string, verifier: string): void {
    this.#logins.set(role, { role, canLogin: true, verifierDigest: verifier });
  }

  close(role: string): void {
    this.#logins.set(role, { role, canLogin: false, verifierDigest: null });
  }
}

/** Passwords that count up. */
export function fakeCredentialMaker(nodes: readonly NodeName[]): CredentialMaker {
  let made = 0;
  return {
    sealable: () => new Set(nodes),
    make: (node, application) => {
      made += 1;
      const verifierDigest = made.toString(16).padStart(64, '0');
      return { verifier: verifierDigest, verifierDigest, sealed: `password ${made} of ${application} on ${node}` };
    },
  };
}
