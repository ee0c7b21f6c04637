/**
 * Says who stands behind a peer's certificate. TLS has already verified its chain, dates and purpose.
 *
 * Invariant: an identity is read from exactly one URI name of ours, and the common name, by which PostgreSQL judges the
 * same certificate, says the same. Anything less clear is refused with the reason. What the identity may do is not decided here.
 */
import { X509Certificate } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { readAlternativeNames } from './alternative-names.ts';
import { type CertificateHolder, commonNameOf, parseUri, uriScheme } from './certificate-name.ts';

export type PeerIdentity = CertificateHolder & { readonly kind: 'node' | 'operator' | 'viewer' };

export type IdentityReading =
  | {
      readonly recognised: true;
      readonly identity: PeerIdentity;
      /** Wall clock; a connection must not outlive its certificate. */
      readonly validToMs: number;
    }
  | { readonly recognised: false; readonly because: string };

const refuse = (because: string): IdentityReading => ({ recognised: false, because });

export function identityFrom(certificate: X509Certificate | undefined): IdentityReading {
  if (certificate === undefined) return refuse('no certificate was presented');
  const names = readAlternativeNames(certificate.subjectAltName);
  if (names === null) return refuse("the certificate's alternative names can't be read");
  const uris = names.filter(({ kind, value }) => kind === 'URI' && value.toLowerCase().startsWith(uriScheme));
  const [uri] = uris;
  if (uri === undefined) return refuse(`the certificate has no ${uriScheme} name`);
  if (uris.length > 1) return refuse(`the certificate has more than one ${uriScheme} name`);
  const holder = parseUri(uri.value);
  if (holder === null) return refuse(`${JSON.stringify(uri.value)} is no name of ours`);
  const { kind } = holder;
  if (kind === 'store' || kind === 'store-client') return refuse("a store's certificate may not call agents");
  if (kind === 'sealer' || kind === 'recipient') return refuse('a sealing certificate may not call agents');
  if (kind === 'own') return refuse('an own certificate may not call agents');
  if (!hasCommonName(certificate, commonNameOf(holder))) {
    return refuse("the certificate's common name and its URI name disagree");
  }
  const validToMs = Date.parse(certificate.validTo);
  if (Number.isNaN(validToMs)) return refuse("the certificate's dates can't be read");
  return { recognised: true, identity: { ...holder, kind }, validToMs };
}

/** Reads a certificate in PEM. Throws CERTIFICATE_REFUSED. */
export function readCertificate(pem: string | Buffer, what = 'certificate'): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${what}: this is no certificate in PEM`, { cause });
  }
}

/** Does the subject consist of this common name alone? */
function hasCommonName(certificate: X509Certificate, name: string): boolean {
  const { subject } = certificate.toLegacyObject();
  return Object.keys(subject).join() === 'CN' && subject.CN === name;
}
