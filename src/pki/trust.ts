/**
 * Judges a certificate that was not brought by a TLS connection: one that lies in the store, or came with a request.
 *
 * Invariant: trusted is a leaf that an issuing authority signed whom one of the given roots signed, each within its dates at
 * the moment that is asked about. A chain has these two certificates and no others, so no path length needs to be read.
 * With `node:crypto` alone: agents at rest ask this too.
 */
import { X509Certificate } from 'node:crypto';
import { readAlternativeNames } from './alternative-names.ts';
import { type CertificateHolder, parseUri, uriScheme } from './certificate-name.ts';

export interface Trust {
  /** PEM: one root, or two during a rollover. */
  readonly rootsPem: string;
  readonly cluster: string;
  /** Serial numbers as Node writes them, and since when (wall clock, in ms); none unless given. */
  readonly revoked?: ReadonlyMap<string, number> | undefined;
}

export type ChainReading =
  | {
      readonly trusted: true;
      readonly leaf: X509Certificate;
      readonly issuing: X509Certificate;
      readonly holder: CertificateHolder;
    }
  | { readonly trusted: false; readonly because: string };

const refuse = (because: string): ChainReading => ({ trusted: false, because });

/** `chainPem`: leaf first. `atMs`: wall clock. */
export function judgeChain(chainPem: string, trust: Trust, atMs: number): ChainReading {
  const chain = readCertificates(chainPem);
  if (chain === null) return refuse('it is no chain of certificates in PEM');
  const [leaf, issuing, ...further] = chain;
  if (leaf === undefined || issuing === undefined || further.length > 0) {
    return refuse('a chain has two certificates: the leaf and its issuing authority');
  }
  const roots = readCertificates(trust.rootsPem) ?? [];
  const root = roots.find((one) => isIssuedBy(issuing, one));
  if (root === undefined) return refuse('no trusted root has signed its issuing authority');
  if (!isIssuedBy(leaf, issuing)) return refuse('its issuing authority has not signed it');
  if (leaf.ca) return refuse('it is the certificate of an authority');
  for (const one of [leaf, issuing, root]) {
    if (!isWithin(one, atMs)) return refuse(`${one.subject} is not valid at ${new Date(atMs).toISOString()}`);
    if (trust.revoked?.has(one.serialNumber) === true) return refuse(`${one.serialNumber} has been revoked`);
  }
  const holder = holderOf(leaf);
  if (holder === null) return refuse('it has no single name of ours');
  if (holder.cluster !== trust.cluster) return refuse(`it is of cluster ${holder.cluster}, this is ${trust.cluster}`);
  return { trusted: true, leaf, issuing, holder };
}

/** In the order of the text; `null` when anything in it is no certificate. */
export function readCertificates(pem: string): readonly X509Certificate[] | null {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return null;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return null;
  }
}

/** Name, key identifier, the right to sign certificates (all `X509_check_issued`), and the signature itself. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Dates that can't be read are none. */
function isWithin(certificate: X509Certificate, atMs: number): boolean {
  return Date.parse(certificate.validFrom) <= atMs && atMs < Date.parse(certificate.validTo);
}

/** Whom a certificate speaks for, when exactly one of its names is ours. */
export function holderOf(certificate: X509Certificate): CertificateHolder | null {
  const names = readAlternativeNames(certificate.subjectAltName) ?? [];
  const uris = names.filter(({ kind, value }) => kind === 'URI' && value.toLowerCase().startsWith(uriScheme));
  const [uri] = uris;
  return uri === undefined || uris.length > 1 ? null : parseUri(uri.value);
}
