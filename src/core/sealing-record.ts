/** What the store says of a node's sealing certificate: public, and believed by nobody before it was verified. */
import type { NodeName } from './spec.ts';

export interface SealingRecord {
  readonly node: NodeName;
  /** PEM: the node's certificate and that of its issuing authority. */
  readonly chainPem: string;
}
