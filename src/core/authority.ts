/** The cluster's authority as the cluster itself knows it: which parts there are, until when they are good, and when that is told. */
import type { NodeName } from './spec.ts';

/** What the store says of the issuing authority in use; believed once a root that the reader trusts has signed it. */
export interface AuthorityRecord {
  /** PEM. */
  readonly certificatePem: string;
  /** ISO 8601. */
  readonly at: string;
  readonly by: string;
}

export interface AuthorityPartStatus {
  readonly part: 'root' | 'issuing';
  readonly subject: string;
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly endsAt: string;
}

/** A public sealing certificate of a database node: to whom the issuing key may be sealed. */
export interface SealingListing {
  readonly node: NodeName;
  readonly chainPem: string;
}

export interface AuthorityState {
  readonly parts: readonly AuthorityPartStatus[];
  /** Of database nodes; not verified. */
  readonly sealing: readonly SealingListing[];
}

export const renewalCommands: { readonly [P in AuthorityPartStatus['part']]: string } = {
  root: 'understudy ca rollover',
  issuing: 'understudy ca renew',
};
