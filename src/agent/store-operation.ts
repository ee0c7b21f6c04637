/** The transactions of a switchover's phases; each compares the operation's very revision, and the lease. */
import type { UndoneOperation } from '../core/actions.ts';
import type { Operation, OperationPhase } from '../core/operation.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys, receiptKey } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import { type ActionOf, type StoreEvent, type StoreTransaction, same, silently } from './store-transaction.ts';

export function publishStopped({ self }: ExecutionContext, action: ActionOf<'publish-stopped'>): StoreTransaction {
  const { operation, lease, timings, shutdownLsn, timeline } = action;
  const write = operationWrite({ ...operation.value, timings }, { phase: 'stopped', shutdownLsn, timeline });
  return {
    ...silently,
    conditions: [same(keys.operation, operation), same(keys.lease, lease)],
    writes: [write],
    events: [{ name: 'switchover.stopped', facts: { from: self, lsn: shutdownLsn, operation: operation.value.id } }],
  };
}

export function undoOperation(action: ActionOf<'undo-operation'>): StoreTransaction {
  const { operation, lease } = action;
  return {
    ...silently,
    conditions: [same(keys.operation, operation), same(keys.lease, lease)],
    writes: undone(operation.value, action),
    events: [undoneEvent(operation.value.id, action)],
  };
}

export function finishOperation({ self }: ExecutionContext, action: ActionOf<'finish-operation'>): StoreTransaction {
  const { operation, lease, receipt } = action;
  const { id, pauseMs } = receipt;
  return {
    ...silently,
    conditions: [same(keys.operation, operation), same(keys.lease, lease)],
    writes: [
      operationWrite(operation.value, { phase: 'finished', receipt: id }),
      { key: receiptKey(id), value: encodeRecord('receipt', receipt) },
    ],
    events: [{ name: 'switchover.finished', facts: { operation: id, to: self, pauseMs } }],
  };
}

/** The plan of the operation, in another phase. */
export function operationWrite(operation: Operation, phase: OperationPhase): StoreWrite {
  const { id, kind, from, to, term, poolers, without, forceAfterMs, paceMs, timings, startedAt, requestedBy } =
    operation;
  const { drainTimeoutMs, stopTimeoutMs, promoteTimeoutMs } = operation;
  const plan = { id, kind, from, to, term, poolers, without, forceAfterMs, paceMs, startedAt, requestedBy };
  const limits = { drainTimeoutMs, stopTimeoutMs, promoteTimeoutMs };
  return { key: keys.operation, value: encodeRecord('operation', { ...plan, ...limits, timings, ...phase }) };
}

export function undone(operation: Operation, { reason, detail, receipt }: UndoneOperation): readonly StoreWrite[] {
  return [
    operationWrite(operation, { phase: 'undone', reason, detail }),
    { key: receiptKey(operation.id), value: encodeRecord('receipt', receipt) },
  ];
}

export function undoneEvent(operation: string, { reason, detail }: UndoneOperation): StoreEvent {
  return { name: 'switchover.undone', facts: { operation, reason, detail } };
}
