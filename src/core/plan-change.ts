/** What a plan is made of. */
import type { FoundDatabase } from './applied.ts';
import type { NodeName } from './spec.ts';

export type Effect =
  | 'now'
  | 'reload'
  | 'restart, deferred'
  | 'refused'
  /** An agent finds the store by its node file, before it can read any spec. */
  | 'no effect on running agents: they use the store of their node files';

export interface Change {
  readonly kind: 'add' | 'remove' | 'change';
  /** Where it happens; empty for the cluster as a whole. */
  readonly nodes: readonly NodeName[];
  readonly what: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly effect: Effect;
}

export interface Refusal {
  readonly what: string;
  /** Why, and what would be right. */
  readonly reason: string;
}

/** What one part of the declaration brings to the plan. */
export interface PlanPart {
  readonly changes: readonly Change[];
  readonly destroyed: readonly string[];
  readonly interrupted: readonly string[];
  readonly refusals: readonly Refusal[];
}

export interface PlanFacts {
  /** `null`: not known, or there is none. */
  readonly primary: NodeName | null;
  /** Those on the primary; none where it is not known. */
  readonly databases: readonly FoundDatabase[];
}
