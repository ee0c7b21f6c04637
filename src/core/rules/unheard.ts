/**
 * What an election does that hears too few synchronous standbys: it waits, or, after the time that the declaration says,
 * goes on without what only the unheard may have (core/accepted-loss.ts).
 *
 * Invariants: nobody is elected by it before it stands in the store, compared with the very lease and renewal that are
 * still; it gives up nothing that anybody has who is heard, and nothing beyond the declared limit: only a person does.
 * Refuses to decide who is elected: that is ballot.ts's, which reads the record like any other input.
 */
import { type AcceptedLoss, byDeclaration } from '../accepted-loss.ts';
import type { Action } from '../actions.ts';
import type { Election } from '../ballot.ts';
import type { Stored } from '../cluster-view.ts';
import { driftMs, type Lease } from '../lease.ts';
import { act, type Situation, type Verdict, wait } from '../situation.ts';

export interface Stalemate {
  /** What the election waits for, in words. */
  readonly text: string;
  /** The same election, if that loss were accepted. */
  readonly elect: (accepted: AcceptedLoss) => Election;
}

/**
 * Any node that sees the time over writes it down; who is elected by it shows then, as ever. `null`: the declaration
 * says to wait, or nobody could be elected either way.
 */
export function acceptUnheard(situation: Situation, lease: Stored<Lease>, stalemate: Stalemate): Verdict | null {
  const { view, memory, spec, nowMs } = situation;
  const { renewal, acceptedLoss } = view.store;
  const afterMs = spec?.durability.acceptLossAfterMs ?? null;
  const watch = memory.leaseWatch;
  if (afterMs === null || watch === null || renewal === null) return null;
  const { term, ttlMs } = lease.value;
  const loss = {
    term: term + 1,
    counter: renewal.value.counter,
    to: null,
    covers: 'unheard',
    by: byDeclaration,
  } as const;
  const { winner } = stalemate.elect({ ...loss, at: '' });
  if (winner === null) return null;
  // Counted as if from a silent holder also where the lease was released: who is late gets the same time.
  const leftMs = watch.sinceMs + ttlMs + driftMs(ttlMs) + afterMs - nowMs;
  if (leftMs > 0) {
    const text = `${stalemate.text}; in ${Math.ceil(leftMs / 1_000)} s ${winner} takes over without what they may have`;
    return wait({ code: 'no-winner', text }, 100);
  }
  const accept: Action = { do: 'accept-loss', loss, replaces: acceptedLoss, lease, renewal, because: ['unheard'] };
  const text = `${stalemate.text}; ${winner} takes over without what they may have, as declared`;
  return act([accept], { code: 'loss-accepted', text }, 100);
}
