/**
 * Makes the passwords by which poolers log in, each sealed to its node as it is made (docs/adr/0025).
 *
 * Invariant: a password leaves this function sealed, or as a verifier; it is kept nowhere.
 */
import { randomBytes } from 'node:crypto';
import type { CredentialMaker } from '../ports/credentials.ts';
import { credentialKey } from '../records/keys.ts';
import { roundsForPoolers, scramVerifier, verifierDigest } from './scram-verifier.ts';
import { createSealer, type SealerParts } from './sealer.ts';

const passwordBytes = 24;

export function createCredentialMaker(parts: SealerParts): CredentialMaker {
  const sealer = createSealer(parts);
  return {
    sealable: () => sealer.sealable(),
    make(node, application) {
      const password = randomBytes(passwordBytes).toString('base64url');
      const sealed = sealer.seal(node, credentialKey(node, application), password);
      const verifier = scramVerifier(password, roundsForPoolers);
      return { verifier, verifierDigest: verifierDigest(verifier), sealed };
    },
  };
}
