/** What a certificate says, for people: `doctor` and lists of certificates print it. Nothing is verified here. */
import type { X509Certificate } from 'node:crypto';
import { type AlternativeName, readAlternativeNames } from './alternative-names.ts';
import { type CertificateHolder, parseUri } from './certificate-name.ts';
import { readCertificate } from './identity.ts';

export interface CertificateDescription {
  /** Empty when it has none. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  /** Whom it speaks for; `null`: not in our way of naming. */
  readonly holder: CertificateHolder | null;
  readonly hostNames: readonly string[];
  readonly addresses: readonly string[];
  readonly isAuthority: boolean;
  readonly server: boolean;
  readonly client: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly fingerprint256: string;
}

const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';

/** Throws CERTIFICATE_REFUSED when it is no certificate. */
export function describeCertificate(pem: string): CertificateDescription {
  const certificate = readCertificate(pem);
  const names = readAlternativeNames(certificate.subjectAltName) ?? [];
  const usages = purposesOf(certificate);
  const holders = valuesOf(names, 'URI').flatMap((uri) => parseUri(uri) ?? []);
  return {
    subject: subjectOf(certificate),
    issuer: certificate.issuer,
    serial: certificate.serialNumber,
    holder: holders[0] ?? null,
    hostNames: valuesOf(names, 'DNS'),
    addresses: valuesOf(names, 'IP Address'),
    isAuthority: certificate.ca,
    server: usages.includes(serverAuth),
    client: usages.includes(clientAuth),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    fingerprint256: certificate.fingerprint256,
  };
}

/** Extended key usages; Node calls them `keyUsage`, and leaves them undefined when there are none. */
function purposesOf(certificate: X509Certificate): readonly string[] {
  const usages: readonly string[] | undefined = certificate.keyUsage;
  return usages ?? [];
}

/** Undefined where there is none, whatever the types say. */
function subjectOf(certificate: X509Certificate): string {
  const subject: string | undefined = certificate.subject;
  return subject ?? '';
}

function valuesOf(names: readonly AlternativeName[], kind: string): readonly string[] {
  return names.filter((name) => name.kind === kind).map((name) => name.value);
}
