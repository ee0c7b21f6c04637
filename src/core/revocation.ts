/**
 * Revoked certificates: what is remembered of each, which ones an order means, and what it would cost whoever gives it. Pure.
 *
 * Invariant: there is no way back: a revocation is forgotten when its certificate could do nothing any more, and never
 * before. One who may seal is remembered for good, since what he signed is judged as of the day on which he did.
 */
import {
  type CertificatePurpose,
  type CertificateRecord,
  type CertificateWish,
  rememberedForMs,
} from './certificates.ts';
import type { NodeName } from './spec.ts';

/** What the store remembers of a certificate that was revoked. */
export interface RevocationRecord extends Pick<CertificateRecord, 'serial' | 'kind' | 'name' | 'expiresAt'> {
  /** ISO 8601. */
  readonly at: string;
  readonly by: string;
}

/** Why a node whose certificate was revoked is no candidate: nobody could replicate from it, and no pooler would follow it. */
export const shutOutText = 'its certificate was revoked';

/** What of it every agent has to know. */
export type RevokedEntry = Pick<RevocationRecord, 'serial' | 'kind' | 'at' | 'expiresAt'>;

/** After the certificate's end: so long it could still renew itself (pki/lately-expired.ts). */
export const rememberedRevokedForMs = rememberedForMs;

/** A list of what one authority has signed and revoked, for whoever judges by such lists (adr/0026). Public: it is signed. */
export interface RevocationListRecord {
  /** PEM: root or issuing authority, and its list. */
  readonly authority: string;
  readonly list: string;
}

/** As lists of certificates are answered: with what became of each. */
export interface KnownCertificate extends CertificateRecord {
  readonly revoked?: Pick<RevocationRecord, 'at' | 'by'> | undefined;
}

export type RevocationTarget =
  | { readonly of: 'serial'; readonly serial: string }
  /** Everything whose key lies there. */
  | { readonly of: 'node'; readonly name: NodeName }
  | { readonly of: 'operator' | 'viewer'; readonly name: string };

/** Those that are meant. `monthAgo`: ISO 8601: what ended before is good for nothing, not even for its renewal. */
export function certificatesMeant(
  records: readonly CertificateRecord[],
  target: RevocationTarget,
  monthAgo: string,
): readonly CertificateRecord[] {
  if (target.of === 'serial') return records.filter(({ serial }) => serial === target.serial);
  const living = records.filter(({ expiresAt }) => expiresAt >= monthAgo);
  if (target.of === 'node') return living.filter(({ where }) => where === target.name);
  return living.filter(({ kind, name }) => kind === target.of && name === target.name);
}

/** Would that operator be left without a certificate? `now`: ISO 8601. */
export function isLastWayIn(
  records: readonly CertificateRecord[],
  isRevoked: (serial: string) => boolean,
  meant: readonly CertificateRecord[],
  operator: string,
  now: string,
): boolean {
  const own = ({ kind, name, expiresAt }: CertificateRecord) =>
    kind === 'operator' && name === operator && expiresAt > now;
  if (!meant.some(own)) return false;
  const gone = new Set(meant.map(({ serial }) => serial));
  return !records.some((record) => own(record) && !isRevoked(record.serial) && !gone.has(record.serial));
}

const kindsOf: Readonly<Record<CertificatePurpose, readonly CertificateRecord['kind'][]>> = {
  node: ['node'],
  'store-client': ['store-client'],
  'store-server': ['store'],
  sealing: ['sealer', 'recipient'],
  own: ['own'],
};

/**
 * The serial of the revoked certificate that this would renew; `null`: there is none. A node whose own certificate was revoked is
 * given none of any kind: only who sets it up anew can say that it is itself.
 */
export function revokedBefore(
  records: readonly CertificateRecord[],
  isRevoked: (serial: string) => boolean,
  node: NodeName,
  { purpose, name }: Pick<CertificateWish, 'purpose' | 'name'>,
): string | null {
  const newest = (kinds: readonly CertificateRecord['kind'][], named: string | undefined) =>
    records
      .filter((one) => one.where === node && kinds.includes(one.kind) && (named === undefined || one.name === named))
      .reduce<CertificateRecord | null>((a, b) => (a === null || b.issuedAt > a.issuedAt ? b : a), null);
  const former = [newest(kindsOf.node, undefined), newest(kindsOf[purpose], name)];
  return former.find((one) => one !== null && isRevoked(one.serial))?.serial ?? null;
}

/**
 * Nodes whose newest certificate was revoked: by what they have they are nobody's any more, until they are set up anew.
 * An earlier one that nobody revoked doesn't help: it was replaced.
 */
export function nodesShutOut(
  records: Iterable<CertificateRecord>,
  isRevoked: (serial: string) => boolean,
): ReadonlySet<NodeName> {
  const newest = new Map<NodeName, CertificateRecord>();
  for (const record of records) {
    if (record.kind !== 'node' || record.where === null) continue;
    const other = newest.get(record.where);
    if (other === undefined || record.issuedAt > other.issuedAt) newest.set(record.where, record);
  }
  return new Set([...newest].flatMap(([node, { serial }]) => (isRevoked(serial) ? [node] : [])));
}

/** Serials of revocations that need not be remembered any more. `monthAgo`: ISO 8601. */
export function forgettableRevocations(records: readonly RevokedEntry[], monthAgo: string): readonly string[] {
  return records.flatMap(({ kind, expiresAt, serial }) => (kind !== 'sealer' && expiresAt < monthAgo ? [serial] : []));
}

/** As it may be written: `ab:cd`, `0xabcd`, `ABCD`. */
export function serialAsListed(text: string): string {
  return text.replace(/^0x/i, '').replaceAll(':', '').toUpperCase();
}
