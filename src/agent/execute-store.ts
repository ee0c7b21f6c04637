/**
 * The actions that write to the store. Every one is a compare-and-set on what the decision saw; none is repeated here.
 * What each writes stands in store-lease.ts, store-operation.ts and store-housekeeping.ts.
 *
 * Invariant: a renewal counts from before it was sent, and only when it was acknowledged and the fence has confirmed it.
 */
import type { Action } from '../core/actions.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { fenceDeadlineMs } from '../core/lease.ts';
import type { Outcome } from '../core/memory.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { Performed } from './loop.ts';
import * as housekeeping from './store-housekeeping.ts';
import * as leases from './store-lease.ts';
import * as operations from './store-operation.ts';
import type { StoreTransaction } from './store-transaction.ts';

/** Several endpoints may be tried within this; below TTL/6 of the usual lease, so that no write costs two renewals. */
const storeWithinMs = 900;

const storeActions = [
  'renew-lease',
  'take-first-lease',
  'take-released-lease',
  'take-handover',
  'look-at-lease',
  'write-ballot',
  'accept-loss',
  'take-lease',
  'take-next-term',
  'record-timeline',
  'write-durability',
  'release-lease',
  'record-cluster',
  'publish-stopped',
  'undo-operation',
  'finish-operation',
  'count-hands-off',
  'end-hands-off',
  'forget-node',
  'publish-status',
] as const;

type StoreAction = Extract<Action, { do: (typeof storeActions)[number] }>;

export function isStoreAction(action: Action): action is StoreAction {
  return storeActions.some((name) => name === action.do);
}

export async function performStoreAction(context: ExecutionContext, action: StoreAction): Promise<Performed> {
  const sentAtMs = context.clock.boottimeMs();
  const { conditions, writes, right, outcome, events, lookAgain } = transactionOf(context, action);
  // A release that is under way must find no deadline that anything could still start on.
  if (action.do === 'release-lease') await context.fence.drop();
  const result = await context.mirror.transact(conditions, writes, { withinMs: storeWithinMs, signal: context.signal });
  if (!result.committed) {
    context.log.info({ action: action.do }, 'somebody else changed the store first');
    const tried: Outcome[] = action.do === 'renew-lease' ? [{ kind: 'renewal-sent', atMs: sentAtMs }] : [];
    return { outcomes: tried, goOn: false, lookAgain: false };
  }
  for (const { name, facts } of events) context.emit(name, facts);
  const outcomes: Outcome[] = outcome === null ? [] : [outcome(sentAtMs)];
  if (right !== null) {
    const renewal = { ...right, sentAtMs };
    // A renewal counts once the fence has confirmed it.
    await context.fence.extend(renewal.term, fenceDeadlineMs(renewal.sentAtMs, renewal.ttlMs));
    outcomes.push({ kind: 'renewed', renewal });
  }
  return { outcomes, goOn: true, lookAgain };
}

function transactionOf(context: ExecutionContext, action: StoreAction): StoreTransaction {
  switch (action.do) {
    case 'renew-lease':
      return leases.renewLease(action);
    case 'take-first-lease':
      return leases.takeFirstLease(context, action);
    case 'take-released-lease':
      return leases.takeReleasedLease(context, action);
    case 'take-handover':
      return leases.takeHandover(context, action);
    case 'look-at-lease':
      return leases.lookAtLease(action);
    case 'take-lease':
      return leases.takeLease(context, action);
    case 'take-next-term':
      return leases.takeNextTerm(context, action);
    case 'release-lease':
      return leases.releaseLease(context, action);
    case 'publish-stopped':
      return operations.publishStopped(context, action);
    case 'undo-operation':
      return operations.undoOperation(action);
    case 'finish-operation':
      return operations.finishOperation(context, action);
    case 'write-ballot':
      return housekeeping.writeBallot(context, action);
    case 'accept-loss':
      return housekeeping.acceptLoss(context, action);
    case 'record-timeline':
      return housekeeping.recordTimeline(context, action);
    case 'write-durability':
      return housekeeping.writeDurability(context, action);
    case 'record-cluster':
      return housekeeping.recordCluster(action);
    case 'count-hands-off':
      return housekeeping.countHandsOff(action);
    case 'end-hands-off':
      return housekeeping.endHandsOff(action);
    case 'forget-node':
      return housekeeping.forgetNode(context, action);
    case 'publish-status':
      return housekeeping.publishStatus(context, action);
    default:
      return unreachable(action);
  }
}
