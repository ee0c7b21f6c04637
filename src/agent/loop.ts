/**
 * observe -> decide -> act, over and over. The simulator runs this very loop.
 *
 * Invariant: decisions are pure and see one frozen view; actions of one decision happen in order, and the first that
 * fails ends them. A renewal is one of the actions, so it proves a completed loop.
 */
import type { Action } from '../core/actions.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { type DatabaseMemory, emptyMemory, learn, type Outcome } from '../core/memory.ts';
import type { Clock } from '../ports/clock.ts';
import type { Wakeup } from './wakeup.ts';

export interface LoopParts {
  readonly clock: Clock;
  readonly wakeup: Wakeup;
  readonly observe: () => Promise<ClusterView>;
  /** Answers what came of it, and whether the rest of the decision still stands. */
  readonly perform: (action: Action, view: ClusterView) => Promise<Performed>;
  /** What jobs achieved since the last pass. */
  readonly achieved: () => readonly Outcome[];
  readonly onDecision: (view: ClusterView, decision: Decision<DatabaseMemory>) => void;
}

export interface Performed {
  readonly outcomes: readonly Outcome[];
  readonly goOn: boolean;
  /** The world changed: look again without waiting. */
  readonly lookAgain: boolean;
}

/** Between a decision that could not be carried out and the next, unless something wakes the loop. */
const failurePauseMs = 50;

export async function runLoop(parts: LoopParts, signal: AbortSignal): Promise<void> {
  const { clock, wakeup } = parts;
  let memory = emptyMemory(clock.boottimeMs());
  while (!signal.aborted) {
    memory = parts.achieved().reduce(learn, memory);
    const view = await parts.observe();
    const decision = decide(view, memory);
    parts.onDecision(view, decision);
    memory = decision.memory;
    let lookAgainInMs = decision.lookAgainInMs;
    for (const action of decision.actions) {
      const performed = await parts.perform(action, view);
      memory = performed.outcomes.reduce(learn, memory);
      if (performed.lookAgain) lookAgainInMs = 0;
      if (signal.aborted) return;
      if (performed.goOn) continue;
      // What failed now would fail the same way at once: somebody's change, or time, must come between.
      lookAgainInMs = Math.max(lookAgainInMs, failurePauseMs);
      break;
    }
    await wakeup.wait(lookAgainInMs, clock, signal);
  }
}
