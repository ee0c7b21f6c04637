/** Seals secrets to nodes of the cluster, and opens those that were sealed to this one. */
import type { NodeName } from '../core/spec.ts';

export interface Sealer {
  /** Those that something can be sealed to now. */
  sealable(): ReadonlySet<NodeName>;
  /** `context`: the key in the store under which it will lie; it opens under no other. Throws SEALING_FAILED. */
  seal(node: NodeName, context: string, secret: string): string;
  open(context: string, sealed: string): { readonly secret: string } | { readonly because: string };
}
