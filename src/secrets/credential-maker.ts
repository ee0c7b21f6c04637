/**
 * Makes the passwords by which poolers log in, each sealed to its node as it is made (docs/adr/0025).
 *
 * Invariant: a password leaves this function sealed, or as a verifier; it is kept nowhere.
 */
import { randomBytes } from 'node:crypto';
import type { SealingRecord } from '../core/sealing-record.ts';
import type { NodeName } from '../core/spec.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { seal } from '../pki/seal.ts';
import { type SealingCertificate, verifySealingCertificate, verifySealingKey } from '../pki/sealing-key.ts';
import type { Trust } from '../pki/trust.ts';
import type { CredentialMaker } from '../ports/credentials.ts';
import { credentialKey } from '../records/keys.ts';
import { roundsForPoolers, scramVerifier, verifierDigest } from './scram-verifier.ts';

export interface MakerParts {
  readonly self: NodeName;
  /** Own sealing certificate and key in PEM, of now; `null`: this node has none. */
  readonly own: () => { readonly certificatePem: string; readonly keyPem: string } | null;
  readonly trust: () => Trust;
  /** As the store has them. */
  readonly certificates: () => Iterable<SealingRecord>;
  /** Wall clock. */
  readonly nowMs: () => number;
}

const passwordBytes = 24;
/** Verifying a chain costs a millisecond, and the store's texts seldom change. */
const judgedForMs = 60 * 60_000;

export function createCredentialMaker(parts: MakerParts): CredentialMaker {
  const verified = new Map<string, SealingCertificate>();
  let judgedWith = '';
  let judgedAtMs = Number.NEGATIVE_INFINITY;

  const certificateOf = ({ node, chainPem }: SealingRecord): SealingCertificate | null => {
    const trust = parts.trust();
    const nowMs = parts.nowMs();
    // What was trusted once may have been revoked since, or its root withdrawn; and it may have ended.
    const judging = `${trust.revoked?.size ?? 0} ${trust.rootsPem}`;
    if (judging !== judgedWith || Math.abs(nowMs - judgedAtMs) >= judgedForMs) {
      verified.clear();
      [judgedWith, judgedAtMs] = [judging, nowMs];
    }
    const known = verified.get(chainPem);
    if (known !== undefined && known.node === node) return known;
    const found = verifySealingCertificate(chainPem, node, trust, nowMs);
    const certificate = found.ok ? found.value : null;
    if (certificate !== null) verified.set(chainPem, certificate);
    return certificate;
  };

  return {
    sealable() {
      try {
        if (parts.own() === null) return new Set();
        return new Set([...parts.certificates()].flatMap((record) => certificateOf(record)?.node ?? []));
      } catch (error) {
        // A file of our own can't be read for a moment: then nothing can be sealed to anybody.
        if (!isUnderstudyError(error)) throw error;
        return new Set();
      }
    },
    make(node, application) {
      const own = parts.own();
      if (own === null) throw new UnderstudyError('SEALING_FAILED', `${parts.self} has no sealing key`);
      const by = verifySealingKey(own, parts.self, parts.trust(), parts.nowMs());
      if (!by.ok) throw new UnderstudyError('SEALING_FAILED', `the sealing key of ${parts.self}: ${by.because}`);
      const record = [...parts.certificates()].find((each) => each.node === node);
      const to = record === undefined ? null : certificateOf(record);
      if (to === null) throw new UnderstudyError('SEALING_FAILED', `there is no valid sealing certificate of ${node}`);
      const password = randomBytes(passwordBytes).toString('base64url');
      const verifier = scramVerifier(password, roundsForPoolers);
      const sealed = seal({
        secret: Buffer.from(password),
        cluster: parts.trust().cluster,
        context: credentialKey(node, application),
        to,
        by: by.value,
        nowMs: parts.nowMs(),
      });
      return { verifier, verifierDigest: verifierDigest(verifier), sealed };
    },
  };
}
