/** Reads what is kept of a certificate that others issued. Nothing is verified: it is not trusted for anything. */
import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '../core/registered.ts';
import { describeCertificate } from './description.ts';
import { readCertificate } from './identity.ts';

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** Throws CERTIFICATE_REFUSED when it is none. */
export function foreignCertificate(pem: string): CertificateFacts {
  const certificate = readCertificate(pem);
  const { addresses, fingerprint256, hostNames, issuer, notAfter, notBefore, serial, subject } =
    describeCertificate(pem);
  return {
    ...{ serial, hostNames, addresses, fingerprint256, keyType: keyTypeOf(certificate) },
    ...{ subject: subject.replaceAll('\n', ', '), issuer: issuer.replaceAll('\n', ', ') },
    issuedAt: notBefore.toISOString(),
    expiresAt: notAfter.toISOString(),
    certificatePem: certificate.toString(),
  };
}

function keyTypeOf({ publicKey }: X509Certificate): string {
  const { asymmetricKeyDetails: details, asymmetricKeyType: type = 'unknown' } = publicKey;
  if (details?.namedCurve !== undefined) return curves[details.namedCurve] ?? details.namedCurve;
  return details?.modulusLength === undefined ? type : `${type.toUpperCase()}-${details.modulusLength}`;
}
