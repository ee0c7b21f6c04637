/** What the nodes hold when a load is over and the cluster has come to rest. */
import type { Workload } from './attempt.ts';

/** What one node answered in one statement. A load's tables that are not there read as empty, and as no bank. */
export interface Contents {
  /** Ids of rows, each as often as it is there; in any order. */
  readonly inserts: readonly number[];
  readonly lists: ReadonlyMap<number, readonly number[]>;
  readonly bank: { readonly balances: readonly number[]; readonly transfers: readonly number[] } | null;
}

export type NodeState =
  | {
      readonly node: string;
      readonly read: 'yes';
      readonly writable: boolean;
      /** It streams on the primary's timeline and had replayed what the primary had; true for the primary itself. */
      readonly caughtUp: boolean;
      readonly contents: Contents;
    }
  | { readonly node: string; readonly read: 'no'; readonly because: string };

export type ReadNode = Extract<NodeState, { read: 'yes' }>;

/** The ids that a workload left, each as often as it is there. */
export function idsOf(workload: Workload, contents: Contents): readonly number[] {
  switch (workload) {
    case 'inserts':
      return contents.inserts;
    case 'append':
      return [...contents.lists.values()].flat();
    case 'bank':
      return contents.bank?.transfers ?? [];
  }
}
