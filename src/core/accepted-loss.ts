/**
 * A loss that somebody has accepted: the one exception to "every set that acknowledged meets every set that elects".
 *
 * Too few synchronous standbys are heard, or every candidate is further behind than the declared limit: then the cluster
 * waits. A person, or the declaration after a time, may rather lose what nobody who is heard has. That is written to the
 * store before anybody is elected by it, so that everybody judges by the same record and history shows it.
 *
 * Invariants: it is good for one election, of the term right above the lease, and only while the holder does not renew
 * once more: what was accepted of a primary thought dead says nothing of one that came back. It lifts no fence: the lease
 * must be free as ever, and whoever is elected has cut itself off as ever.
 */
import type { Renewal } from './lease.ts';
import type { NodeName } from './spec.ts';

export interface AcceptedLoss {
  /** The term whose election it permits: one above the lease that nobody renews. */
  readonly term: number;
  /** The last holder's last renewal, as it was seen when the loss was accepted. */
  readonly counter: number;
  /** Who alone may be elected by it; `null`: whoever is furthest of those that are heard. */
  readonly to: NodeName | null;
  /**
   * `unheard`: what nodes that are not heard may have. `all`: also what a heard node has that can't be elected, and more
   * than the declared limit; only a person accepts that.
   */
  readonly covers: 'unheard' | 'all';
  /** A person's name, or `the declaration`. */
  readonly by: string;
  /** For people, ISO 8601. */
  readonly at: string;
}

/** Who accepts where `unheard: accept_loss_after` is declared. */
export const byDeclaration = 'the declaration';

/** The loss that is accepted for the election after a lease of `term`; a record of any other one counts for nothing. */
export function acceptedFor(record: AcceptedLoss | null, term: number, renewal: Renewal | null): AcceptedLoss | null {
  if (record === null || renewal === null || record.term !== term + 1) return null;
  return renewal.term === term && record.counter === renewal.counter ? record : null;
}
