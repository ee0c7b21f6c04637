/**
 * Seals secrets to the nodes of the cluster, and opens what was sealed to this one.
 *
 * Invariant: only to a node whose sealing certificate was verified, and opened only what a database node has sealed for that very
 * place (pki/seal.ts). Nothing is kept here in the open.
 */
import type { SealingRecord } from '../core/sealing-record.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { seal, unseal } from '../pki/seal.ts';
import { type SealingCertificate, verifySealingCertificate, verifySealingKey } from '../pki/sealing-key.ts';
import type { Trust } from '../pki/trust.ts';
import type { Sealer } from '../ports/sealer.ts';

export interface OpenerParts {
  readonly self: NodeName;
  /** Own sealing certificate and key in PEM, of now; `null`: this node has none. */
  readonly own: () => { readonly certificatePem: string; readonly keyPem: string } | null;
  /** Like `own` it throws an `UnderstudyError` when a file can't be read. */
  readonly trust: () => Trust;
  /** Wall clock. */
  readonly nowMs: () => number;
}

export interface SealerParts extends OpenerParts {
  /** As the store has them. */
  readonly certificates: () => Iterable<SealingRecord>;
}

/** Verifying a chain costs a millisecond, and the store's texts seldom change. */
const judgedForMs = 60 * 60_000;

export type Opened = { readonly secret: string } | { readonly because: string };

/** `context`: the key in the store under which it lies. Files that can't be read for a moment are a reason as any other. */
export function openSealed(parts: OpenerParts, context: string, sealed: string): Opened {
  const { self } = parts;
  try {
    const own = parts.own();
    if (own === null) return { because: `${self} has no sealing key (tls.sealing in its node file)` };
    const key = verifySealingKey(own, self, parts.trust(), parts.nowMs());
    if (!key.ok) return { because: `the sealing key of ${self}: ${key.because}` };
    const found = unseal(sealed, context, key.value, parts.trust());
    return found.ok ? { secret: found.secret.toString('utf8') } : { because: found.because };
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { because: describeError(error) };
  }
}

export function createSealer(parts: SealerParts): Sealer {
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
    seal(node, context, secret) {
      const own = parts.own();
      if (own === null) throw new UnderstudyError('SEALING_FAILED', `${parts.self} has no sealing key`);
      const by = verifySealingKey(own, parts.self, parts.trust(), parts.nowMs());
      if (!by.ok) throw new UnderstudyError('SEALING_FAILED', `the sealing key of ${parts.self}: ${by.because}`);
      const record = [...parts.certificates()].find((each) => each.node === node);
      const to = record === undefined ? null : certificateOf(record);
      if (to === null) throw new UnderstudyError('SEALING_FAILED', `there is no valid sealing certificate of ${node}`);
      const { cluster } = parts.trust();
      return seal({ secret: Buffer.from(secret), cluster, context, to, by: by.value, nowMs: parts.nowMs() });
    },
    open: (context, sealed) => openSealed(parts, context, sealed),
  };
}
