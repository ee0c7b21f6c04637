/** Certificates as the cluster speaks of them: what a node has, what it asks for, and what is remembered of each. */
import type { NodeName } from './spec.ts';

/**
 * What a node's certificates are for. `node`: its agent, PostgreSQL and pooler, both ways; `store-client`: the agent towards
 * the store; `store-server`: the member of the store beside it; `sealing`: what is sealed to it (adr/0026);
 * `own`: a service of the user's own, of a name that is declared for one of the node's roles.
 */
export const purposes = ['node', 'store-client', 'store-server', 'sealing', 'own'] as const;
export type CertificatePurpose = (typeof purposes)[number];

/** PEM. A signing request says nothing but the key that it is for. */
export interface CertificateWish {
  readonly purpose: CertificatePurpose;
  readonly request: string;
  /** Of an own certificate alone. */
  readonly name?: string | undefined;
}

export interface IssuedCertificate {
  readonly purpose: CertificatePurpose;
  /** PEM, leaf first. */
  readonly chain: string;
}

/** What the store remembers of a certificate that was issued. */
export interface CertificateRecord {
  readonly serial: string;
  readonly kind: 'node' | 'operator' | 'viewer' | 'store' | 'store-client' | 'sealer' | 'recipient' | 'own';
  readonly name: string;
  readonly hostNames: readonly string[];
  readonly addresses: readonly string[];
  readonly issuer: string;
  readonly keyType: string;
  /** ISO 8601, each. When it was issued, not when its validity begins. */
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** Where its key lies; `null`: not on a node. */
  readonly where: NodeName | null;
  readonly requestedBy: string;
  /** Whose agent signed it; `null`: made with the cluster. */
  readonly issuedBy: NodeName | null;
  /** SHA-256 of the root that it rests on; absent: made by an older version. */
  readonly root?: string | undefined;
}

/** Whose newest certificate replaces the others: an own one is each node's for itself. */
export function holderOf({ kind, name, where }: Pick<CertificateRecord, 'kind' | 'name' | 'where'>): string {
  return kind === 'own' ? `${kind} ${name} ${where ?? ''}` : `${kind} ${name}`;
}

export const rememberedForMs = 30 * 24 * 60 * 60_000;
/** Of one holder: with a life of minutes, a month of them would fill the store. */
const expiredKept = 3;

/** Serials of those that need not be remembered any more. `now` and `monthAgo`: ISO 8601, as they are compared. */
export function forgettable(records: readonly CertificateRecord[], now: string, monthAgo: string): readonly string[] {
  const expired = records
    .filter(({ expiresAt }) => expiresAt < now)
    .sort((a, b) => (a.expiresAt < b.expiresAt ? 1 : -1));
  const seen = new Map<string, number>();
  const gone = expired.filter((record) => {
    const { expiresAt } = record;
    const holder = holderOf(record);
    const newer = seen.get(holder) ?? 0;
    seen.set(holder, newer + 1);
    return newer >= expiredKept || expiresAt < monthAgo;
  });
  return gone.map(({ serial }) => serial);
}
