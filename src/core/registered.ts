/**
 * Certificates that others issued, and that somebody registered so that their end is not forgotten. The cluster does nothing with
 * them but tell when they end.
 */

export interface RegisteredCertificate {
  readonly name: string;
  /** In the words of whoever registered it: where it is used, and who renews it. */
  readonly where: string | null;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly hostNames: readonly string[];
  readonly addresses: readonly string[];
  readonly keyType: string;
  readonly fingerprint256: string;
  /** ISO 8601, each. */
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** PEM, the leaf alone: it is public. */
  readonly certificatePem: string;
  readonly registeredAt: string;
  readonly by: string;
}

/** What the certificate itself says. */
export type CertificateFacts = Omit<RegisteredCertificate, 'name' | 'where' | 'registeredAt' | 'by'>;
