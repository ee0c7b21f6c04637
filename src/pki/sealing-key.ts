/**
 * Sealing certificates: to whom may be sealed, and who may seal (docs/adr/0026).
 *
 * Invariant: what these functions return was verified against the roots, so that `seal` and `unseal` never meet a key that
 * nobody vouched for. A database node is a `sealer`, any other a `recipient`, whose signature nobody takes. Neither can
 * be used for TLS: their extended key usage is that of signed documents (RFC 9336).
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type ChainReading, judgeChain, type Trust } from './trust.ts';

export interface SealingCertificate {
  readonly node: string;
  /** Whether what it signs may be believed: a database node's. */
  readonly maySeal: boolean;
  readonly publicKey: KeyObject;
  readonly chainPem: string;
}

export interface SealingKey extends SealingCertificate {
  readonly privateKey: KeyObject;
}

export type Verified<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly because: string };

const no = (because: string) => ({ ok: false, because }) as const;

/** `node`: whose it has to be; it comes from where the certificate was found, and is nothing that it says itself. */
export function verifySealingCertificate(
  chainPem: string,
  node: string,
  trust: Trust,
  atMs: number,
): Verified<SealingCertificate> {
  const reading = judgeChain(chainPem, trust, atMs);
  const found = sealingCertificateOf(reading, chainPem);
  if (found.ok && found.value.node !== node) return no(`it is that of ${found.value.node}, not of ${node}`);
  return found;
}

/** One's own, from its files. */
export function verifySealingKey(
  files: { readonly certificatePem: string; readonly keyPem: string },
  node: string,
  trust: Trust,
  atMs: number,
): Verified<SealingKey> {
  const found = verifySealingCertificate(files.certificatePem, node, trust, atMs);
  if (!found.ok) return found;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(files.keyPem);
  } catch {
    return no("its key can't be read"); // what OpenSSL says of a key may quote it
  }
  if (!createPublicKey(privateKey).equals(found.value.publicKey))
    return no("certificate and key don't belong together");
  return { ok: true, value: { ...found.value, privateKey } };
}

export function sealingCertificateOf(reading: ChainReading, chainPem: string): Verified<SealingCertificate> {
  if (!reading.trusted) return no(reading.because);
  const { kind, name: node } = reading.holder;
  if (kind !== 'sealer' && kind !== 'recipient') return no(`a certificate of kind ${kind} seals nothing`);
  const { publicKey } = reading.leaf;
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return no('its key is not on the curve P-256');
  return { ok: true, value: { node, maySeal: kind === 'sealer', publicKey, chainPem } };
}
