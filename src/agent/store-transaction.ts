/**
 * What one action does in the store, and what follows once it is acknowledged: everything of it in one value.
 *
 * Every write is a compare-and-set on what the decision saw. An action states each part, also that there is none of it.
 */
import type { Action } from '../core/actions.ts';
import type { Stored } from '../core/cluster-view.ts';
import type { Outcome } from '../core/memory.ts';
import type { EventFacts, EventName } from '../events/catalogue.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';

export type ActionOf<Name extends Action['do']> = Extract<Action, { do: Name }>;

export interface StoreTransaction {
  readonly conditions: readonly StoreCondition[];
  readonly writes: readonly StoreWrite[];
  /** The right to be primary that it brings, counted from before it was sent; `null`: none. */
  readonly right: { readonly term: number; readonly ttlMs: number } | null;
  /** What later decisions must know of it, beside the right; `null`: nothing. */
  readonly outcome: ((sentAtMs: number) => Outcome) | null;
  readonly events: readonly StoreEvent[];
  /** Others decide by it, or this node does: look again without waiting. */
  readonly lookAgain: boolean;
}

export interface StoreEvent {
  readonly name: EventName;
  readonly facts: EventFacts;
}

/** Of what brings no right, and is neither remembered nor told. */
export const silently = { right: null, outcome: null, events: [], lookAgain: true } as const;

export function same(key: string, stored: Stored<unknown>): StoreCondition {
  return { key, revision: stored.revision };
}

export function sameOrAbsent(key: string, stored: Stored<unknown> | null | undefined): StoreCondition {
  return { key, revision: stored?.revision ?? 'absent' };
}
