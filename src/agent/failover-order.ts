/**
 * Carries out `failover`: says what an election would need, and records the loss that a person accepts.
 *
 * Invariant: what is recorded is never more than what that person was shown. It is written against the lease, the renewal
 * and the durability record that were judged by; the nodes then elect as ever, and take the lease as ever.
 */
import type { FailoverAnswer, FailoverRequest } from '../api/contract/orders.ts';
import type { AcceptedLoss } from '../core/accepted-loss.ts';
import type { ClusterView } from '../core/cluster-view.ts';
import type { DatabaseMemory } from '../core/memory.ts';
import { type FailoverPlan, planFailover } from '../core/rules/failover-order.ts';
import { assess } from '../core/situation.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface FailoverOrderParts {
  readonly clock: Clock;
  readonly mirror: Pick<StoreMirror, 'transact'>;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
  readonly fresh: { readonly view: ClusterView; readonly memory: DatabaseMemory };
}

type Acceptance = NonNullable<FailoverRequest['accept']>;

const writeWithinMs = 2_000;

/** Throws REFUSED without a lease; CONFLICT when what may be lost is not what was shown. */
export async function orderFailover(
  parts: FailoverOrderParts,
  { to, accept }: FailoverRequest,
  by: string,
): Promise<FailoverAnswer> {
  const { view, memory } = parts.fresh;
  const plan = planFailover(assess(view, memory), to);
  if (plan === null) throw new UnderstudyError('REFUSED', 'the cluster has not begun yet: nobody ever held the lease');
  if (plan.blockers.length > 0) return { outcome: 'refused', plan };
  // Nothing is recorded that nobody needs: an election that can do without it goes on by itself.
  if (accept === null || plan.winner !== null || plan.loss === null) return { outcome: 'checked', plan };
  if (!isCoveredBy(plan, accept)) {
    throw new UnderstudyError('CONFLICT', 'what may be lost is not what was shown any more: look again');
  }
  await record(parts, plan, { to, by });
  const node = to ?? plan.loss.node;
  parts.emit('request.accepted', { by, node, what: `term ${plan.term}, and accepted what may be lost by it` });
  return { outcome: 'recorded', plan };
}

function isCoveredBy({ term, counter, loss }: FailoverPlan, accept: Acceptance): boolean {
  if (loss === null || term !== accept.term || counter !== accept.counter) return false;
  return loss.atLeastBytes <= accept.atLeastBytes && (loss.covers === 'unheard' || accept.covers === 'all');
}

async function record(
  { clock, mirror, signal, fresh }: FailoverOrderParts,
  { term, counter, loss }: FailoverPlan,
  { to, by }: { readonly to: string | null; readonly by: string },
): Promise<void> {
  const { lease, renewal, durability, acceptedLoss } = fresh.view.store;
  if (lease === null || renewal === null || loss === null) return;
  const value: AcceptedLoss = { term, counter, to, covers: loss.covers, by, at: clock.wallClock().toISOString() };
  const result = await mirror.transact(
    [
      { key: keys.lease, revision: lease.revision },
      { key: keys.renewal, revision: renewal.revision },
      { key: keys.durability, revision: durability?.revision ?? 'absent' },
      { key: keys.acceptedLoss, revision: acceptedLoss?.revision ?? 'absent' },
      { key: keys.handsOff, revision: 'absent' },
    ],
    [{ key: keys.acceptedLoss, value: encodeRecord('accepted-loss', value) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'the cluster changed in the same moment: look again');
}
