/** The measured account of a switchover: what each pooler and application saw, and how to undo it. */
import type { PhaseTiming, UndoReason } from './operation.ts';
import type { NodeName } from './spec.ts';

export interface PoolerReceipt {
  readonly node: NodeName;
  readonly drainMs: number;
  readonly pausedMs: number;
}

export interface ApplicationReceipt {
  readonly name: string;
  readonly delayed: number;
  readonly worstMs: number;
  readonly failed: number;
}

export interface Receipt {
  readonly id: string;
  readonly kind: 'switchover';
  readonly outcome: 'finished' | 'undone';
  readonly undoReason: UndoReason | null;
  readonly detail: string | null;
  readonly from: NodeName;
  readonly to: NodeName;
  readonly termBefore: number;
  readonly termAfter: number;
  readonly timelineBefore: number;
  readonly timelineAfter: number;
  /** Where the old primary's WAL ended, and where the new one's began. */
  readonly shutdownLsn: string | null;
  readonly startedAt: string;
  /** The longest pause of any pooler, in ms. */
  readonly pauseMs: number | null;
  readonly phases: readonly PhaseTiming[];
  readonly poolers: readonly PoolerReceipt[];
  readonly without: readonly NodeName[];
  readonly applications: readonly ApplicationReceipt[];
  /** Poolers that had not reported when the receipt was written. */
  readonly unreported: readonly NodeName[];
  readonly undo: string | null;
  readonly requestedBy: string;
}
