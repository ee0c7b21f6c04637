/** What is remembered of a certificate of ours, read from itself. */
import type { CertificateRecord } from '../core/certificates.ts';
import { describeCertificate } from './description.ts';
import { backdateMs } from './life.ts';

/** Throws CERTIFICATE_REFUSED when it is none. */
export function recordOf(chainPem: string): Omit<CertificateRecord, 'where' | 'requestedBy' | 'issuedBy'> {
  const { serial, holder, hostNames, addresses, issuer, notBefore, notAfter } = describeCertificate(chainPem);
  return {
    ...{ serial, kind: holder?.kind ?? 'node', name: holder?.name ?? '', hostNames, addresses },
    ...{ issuer: issuer.replace(/^CN=/, ''), keyType: 'P-256' },
    issuedAt: new Date(notBefore.getTime() + backdateMs).toISOString(),
    expiresAt: notAfter.toISOString(),
  };
}
