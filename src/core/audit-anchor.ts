/**
 * How far an agent's audit log had come, said where that agent alone can't unsay it: in the store, and in other agents' logs.
 *
 * Invariant: a head once anchored stays a part of its log. So whoever cuts the log's end, or writes all of it anew, is found
 * out by whatever anchor came before.
 */
import type { NodeName } from './spec.ts';

export interface AuditHead {
  /** Of the last line. */
  readonly sequence: number;
  /** SHA-256 of that line, in hexadecimal. */
  readonly hash: string;
}

export interface AnchoredHead extends AuditHead {
  /** Of the last line that says more than how far other logs are: agents at rest must not go on telling each other. */
  readonly told: number;
}

/** What stands in the store. */
export interface AuditAnchor extends AnchoredHead {
  readonly at: string;
  /** Earlier heads that this log did not hold when its agent looked: somebody changed it. Never forgotten by itself. */
  readonly unmet: readonly AuditHead[];
}

export type NodeAnchor = AuditAnchor & { readonly node: NodeName };
