/** What people read of the cluster through any agent: nothing here changes anything. */
import type { Reason, Refusal } from '../../core/decision.ts';
import type { Prospect } from '../../core/forecast.ts';
import type { NodeName, Spec } from '../../core/spec.ts';

export interface WhyAnswer {
  readonly node: NodeName;
  readonly at: string;
  /** Of the view the decision was made from. */
  readonly inputDigest: string;
  readonly reasons: readonly Reason[];
  readonly refused: readonly Refusal[];
  /** Who could take over, and who could not, and why: in the election under way, or in the next. */
  readonly candidates?: readonly Prospect[] | undefined;
  readonly actions: readonly { readonly do: string; readonly because: readonly string[] }[];
}

export interface SpecAnswer {
  readonly revision: number;
  readonly spec: Spec;
  readonly appliedAt: string;
  readonly appliedBy: string;
}

export interface DoctorFinding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failure';
  readonly text: string;
  readonly hint: string | null;
}
