/**
 * Lists of revoked certificates (RFC 5280 section 5), which PostgreSQL reads as its `ssl_crl_file`.
 *
 * Invariant: a list doesn't end before its authority does: a cluster that was off for a month must not be kept off by a date
 * (docs/adr/0026). Each authority lists what it has signed itself, so a file for a verifier needs the root's and the
 * issuing authority's list together: OpenSSL checks every certificate of a chain, or none.
 */
import { type CertificateAndKey, importKey, readAuthority, signature } from './authority.ts';
import { pem } from './der.ts';
import { AuthorityKeyIdentifierExtension, X509CrlGenerator } from './x509.ts';

export interface Revocation {
  /** Hexadecimal, as lists of certificates show it. */
  readonly serial: string;
  /** Wall clock. */
  readonly atMs: number;
}

/** `authority`: a root or an issuing one. Throws CERTIFICATE_REFUSED when it can't sign. */
export async function revocationList(
  authority: CertificateAndKey,
  revoked: readonly Revocation[],
  nowMs: number,
): Promise<string> {
  const issuer = readAuthority(authority);
  const list = await X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: new Date(nowMs - 60 * 60_000),
    nextUpdate: issuer.notAfter,
    entries: revoked.map(({ serial, atMs }) => ({ serialNumber: serial, revocationDate: new Date(atMs) })),
    extensions: [await AuthorityKeyIdentifierExtension.create(issuer.publicKey)],
    signingKey: await importKey(authority.keyPem),
    signingAlgorithm: signature,
  });
  // The library's own label is `CRL`, which OpenSSL does not read.
  return pem('X509 CRL', Buffer.from(list.rawData));
}
