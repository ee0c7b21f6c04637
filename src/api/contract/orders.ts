/** What operators order of the cluster as a whole, and what is said to it: above all why not. */
import type { CloneSource } from '../../core/backups/clone-base.ts';
import type { Reason, Refusal } from '../../core/decision.ts';
import type { FailoverPlan } from '../../core/rules/failover-order.ts';
import type { NodeName, Spec } from '../../core/spec.ts';

/** What became of an order that is refused without anything being changed, or taken on. */
export interface Accepted {
  readonly accepted: boolean;
  readonly because: string;
}

export interface ReinitRequest {
  /** Where its base comes from; left out: it is chosen. */
  readonly from?: CloneSource | undefined;
}

export interface RestartRequest {
  /** Also a primary in whose place nobody else may be: writes wait or fail meanwhile. */
  readonly stopsWrites?: boolean | undefined;
}

export interface SwitchoverRequest {
  readonly to: NodeName | null;
  readonly forceAfterMs: number | null;
  readonly without: readonly NodeName[];
  readonly dryRun: boolean;
  readonly paceMs: number;
}

export interface Preflight {
  readonly from: NodeName;
  readonly to: NodeName | null;
  readonly poolers: readonly NodeName[];
  readonly blockers: readonly Refusal[];
  readonly warnings: readonly Reason[];
}

export type SwitchoverAnswer =
  | { readonly outcome: 'refused'; readonly preflight: Preflight }
  | { readonly outcome: 'checked'; readonly preflight: Preflight }
  | { readonly outcome: 'started'; readonly preflight: Preflight; readonly operation: string };

export interface FailoverRequest {
  readonly to: NodeName | null;
  /** What was shown to a person who accepted it; `null`: only ask. */
  readonly accept: {
    readonly term: number;
    readonly counter: number;
    readonly covers: 'unheard' | 'all';
    readonly atLeastBytes: number;
  } | null;
}

/** `checked`: nothing stands against it; whether it needs an acceptance says the plan. */
export interface FailoverAnswer {
  readonly outcome: 'refused' | 'checked' | 'recorded';
  readonly plan: FailoverPlan;
}

export interface HandsOffRequest {
  /** `null`: hands on. At most `handsOffAtMostMs`. */
  readonly forMs: number | null;
}

export interface ReadOnlyRequest {
  readonly on: boolean;
  readonly reason: string | null;
}

export interface ApplyRequest {
  /** The spec revision that the change was planned against. */
  readonly baseRevision: number;
  readonly spec: Spec;
}
