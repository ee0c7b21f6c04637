/**
 * Asks for a switchover, and finds out whether it began when the answer is lost.
 *
 * The agent that was asked may die after it passed the order on. Asking again is safe: the order names its target, and a
 * primary is not moved to itself; a switchover under way is seen, and followed as the one that was asked for.
 */
import type { Preflight, SwitchoverAnswer, SwitchoverRequest } from '../api/contract/orders.ts';
import type { Operation } from '../core/operation.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';

export type Begun =
  | { readonly outcome: 'started'; readonly operation: string; readonly preflight: Preflight }
  | { readonly outcome: 'refused'; readonly preflight: Preflight };

/** Two checkpoints come first, which may take minutes on a busy server. */
const beginWithinMs = 240_000;
const againAfterMs = 200;
/** After a lost answer: how long to look for what became of the order. */
const lostWithinMs = 60_000;

/** Throws what the agents refuse it with; AGENT_UNREACHABLE when none tells what became of it. */
export async function beginSwitchover(call: Call, access: ClusterAccess, request: SwitchoverRequest): Promise<Begun> {
  const before = await currentOperation(access);
  let lostAtMs: number | null = null;
  for (;;) {
    try {
      const answer = await access.order((client, asking) => client.switchover(request, asking), beginWithinMs);
      const begun = beganBy(answer);
      if (begun.outcome === 'started' || lostAtMs === null) return begun;
      const ours = await begunEarlier(access, before, request);
      if (ours !== null) return { outcome: 'started', operation: ours.id, preflight: begun.preflight };
      // The first order may still be at its checkpoints.
      if (!isInPreparation(begun.preflight)) return begun;
    } catch (error) {
      if (call.signal.aborted || !isUnderstudyError(error, 'AGENT_UNREACHABLE')) throw error;
      lostAtMs ??= performance.now();
      if (performance.now() - lostAtMs > lostWithinMs) throw error;
    }
    await call.sleep(againAfterMs);
  }
}

function beganBy(answer: SwitchoverAnswer): Begun {
  if (answer.outcome !== 'checked') return answer;
  throw new UnderstudyError('ANSWER_INVALID', 'a switchover was asked for, and only a preflight was answered');
}

async function begunEarlier(
  access: ClusterAccess,
  before: Operation | null,
  request: SwitchoverRequest,
): Promise<Operation | null> {
  const now = await currentOperation(access);
  return now !== null && now.id !== before?.id && now.to === request.to ? now : null;
}

async function currentOperation(access: ClusterAccess): Promise<Operation | null> {
  return await access.ask((client, asking) => client.operation(asking));
}

function isInPreparation({ blockers }: Preflight): boolean {
  return blockers.some((blocker) => blocker.blockedBy === 'operation-active');
}
