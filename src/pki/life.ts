/** How long a certificate was meant to live: its validity begins before it was issued (docs/adr/0026). */
import type { X509Certificate } from 'node:crypto';
import type { CertificateLife } from '../core/rules/certificate-renewal.ts';

/** Clocks of other nodes may be behind; and a node whose battery is empty may start an hour off. */
export const backdateMs = 60 * 60_000;

export function lifeOf({ validFrom, validTo }: Pick<X509Certificate, 'validFrom' | 'validTo'>): CertificateLife {
  return { issuedAtMs: Date.parse(validFrom) + backdateMs, endsAtMs: Date.parse(validTo) };
}
