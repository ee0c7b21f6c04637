/**
 * Reads how long the parts of a cluster's authority are good, from certificates that lie on this node or in the store.
 *
 * Invariant: an issuing authority counts only when one of the given roots has signed it: what the store says is not believed.
 */
import type { X509Certificate } from 'node:crypto';
import type { AuthorityPartStatus } from '../core/authority.ts';
import { readCertificates } from './trust.ts';

export interface StandingFiles {
  readonly rootsPem: string;
  /** Of the first that a root has signed the end is told: such as the store's, then that of the own chain. */
  readonly issuingPems: readonly (string | undefined)[];
}

/** Roots first; a part that can't be read is left out. */
export function authorityStanding({ rootsPem, issuingPems }: StandingFiles): readonly AuthorityPartStatus[] {
  const roots = readCertificates(rootsPem) ?? [];
  const issuing = issuingPems
    .flatMap((pem) => issuingIn(pem) ?? [])
    .find((one) => roots.some((root) => one.checkIssued(root) && one.verify(root.publicKey)));
  return [...roots.map((root) => partOf('root', root)), ...(issuing === undefined ? [] : [partOf('issuing', issuing)])];
}

/** The authority in a chain, leaf first; or the certificate itself, when it stands alone. */
function issuingIn(pem: string | undefined): X509Certificate | undefined {
  const found = pem === undefined ? null : readCertificates(pem);
  return found?.find(({ ca }) => ca);
}

function partOf(part: AuthorityPartStatus['part'], certificate: X509Certificate): AuthorityPartStatus {
  const { fingerprint256, subject, validTo } = certificate;
  const named = { part, subject: subject.replaceAll('\n', ', '), fingerprint256 };
  return { ...named, endsAt: new Date(validTo).toISOString() };
}
