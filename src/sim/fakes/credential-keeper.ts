/** A keeper of credentials in memory: every password can be opened, and is the sealed text itself. */
import type { SealedCredential } from '../../core/credential.ts';
import type { CredentialKeeper } from '../../ports/credentials.ts';

export function fakeCredentialKeeper(): CredentialKeeper {
  let kept: readonly SealedCredential[] = [];
  return {
    get kept() {
      return kept;
    },
    keep(credentials) {
      kept = credentials;
    },
    passwordOf: (application, generation) =>
      kept.find((one) => one.application === application && one.generation === generation)?.sealed ?? null,
    trouble: null,
  };
}
