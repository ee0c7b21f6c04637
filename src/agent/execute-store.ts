/**
 * The actions that write to the store. Every one is a compare-and-set on what the decision saw; none is repeated here.
 *
 * Invariants: a renewal counts from before it was sent and only when acknowledged; a handover compares the operation's
 * very revision and the lease, not the counter (which the holder goes on renewing); a release compares the counter as
 * well, so that it can't land after the renewal on which its holder has started PostgreSQL again.
 */
import type { Action } from '../core/actions.ts';
import type { Stored } from '../core/cluster-view.ts';
import { fenceDeadlineMs, type Lease, type Renewal, type WrittenPosition } from '../core/lease.ts';
import type { Outcome, OwnRenewal } from '../core/memory.ts';
import type { Operation, OperationPhase } from '../core/operation.ts';
import { describeSyncSet } from '../core/rules/sync-standbys.ts';
import type { TimelineRecord } from '../core/timelines.ts';
import type { StoreCondition, StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { ballotKey, keys, memberKey, poolerKey, receiptKey, timelineKey } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { Performed } from './loop.ts';

/** Several endpoints may be tried within this; a third of what TTL/6 leaves at the shortest lease. */
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
  const { conditions, writes } = transactionOf(context, action);
  // A release that is under way must find no deadline that anything could still start on.
  if (action.do === 'release-lease') await context.fence.drop();
  const result = await context.mirror.transact(conditions, writes, { withinMs: storeWithinMs, signal: context.signal });
  if (!result.committed) {
    context.log.info({ action: action.do }, 'somebody else changed the store first');
    const tried = action.do === 'renew-lease' ? [{ kind: 'renewal-sent' as const, atMs: sentAtMs }] : [];
    return { outcomes: tried, goOn: false, lookAgain: false };
  }
  tell(context, action);
  const renewal = renewalOf(action, sentAtMs);
  // A renewal counts once the fence has confirmed it.
  if (renewal !== null) await context.fence.extend(renewal.term, fenceDeadlineMs(renewal.sentAtMs, renewal.ttlMs));
  if (renewal !== null)
    return { outcomes: [{ kind: 'renewed', renewal }], goOn: true, lookAgain: action.do !== 'renew-lease' };
  const learnt = learntFrom(action, sentAtMs);
  if (learnt !== null) return { outcomes: [learnt], goOn: true, lookAgain: true };
  if (action.do === 'publish-status') {
    const { key, status } = action;
    return {
      outcomes: [{ kind: 'status-published', key, counter: status.counter, atMs: sentAtMs }],
      goOn: true,
      lookAgain: false,
    };
  }
  return { outcomes: [], goOn: true, lookAgain: true };
}

function learntFrom(action: StoreAction, atMs: number): Outcome | null {
  switch (action.do) {
    case 'look-at-lease':
      return { kind: 'lease-looked', key: action.key, atMs };
    case 'write-ballot':
      return { kind: 'ballot-written', term: action.ballot.term, key: action.key, atMs };
    case 'write-durability':
      return { kind: 'durability-written', term: action.record.term };
    default:
      return null;
  }
}

interface Transaction {
  readonly conditions: readonly StoreCondition[];
  readonly writes: readonly StoreWrite[];
}

function transactionOf(context: ExecutionContext, action: StoreAction): Transaction {
  switch (action.do) {
    case 'renew-lease':
      return {
        conditions: [same(keys.lease, action.lease), same(keys.renewal, action.renewal)],
        writes: [renewalWrite(action.renewal.value.term, action.renewal.value.counter + 1, action)],
      };
    case 'take-first-lease':
      return {
        conditions: [keys.lease, keys.renewal, keys.cluster].map((key) => ({ key, revision: 'absent' as const })),
        writes: holding(context, 1, action.ttlMs),
      };
    case 'look-at-lease':
      return { conditions: [same(keys.lease, action.lease), same(keys.renewal, action.renewal)], writes: [] };
    case 'write-ballot': {
      const { term, node } = action.ballot;
      const revision = context.mirror.image.ballots.get(`${term}/${node}`)?.revision ?? 'absent';
      const key = ballotKey(term, node);
      return {
        conditions: [same(keys.lease, action.lease), { key, revision }],
        writes: [{ key, value: encodeRecord('ballot', action.ballot) }],
      };
    }
    case 'accept-loss': {
      const loss = { ...action.loss, at: context.clock.wallClock().toISOString() };
      return {
        conditions: [
          same(keys.lease, action.lease),
          same(keys.renewal, action.renewal),
          { key: keys.acceptedLoss, revision: action.replaces?.revision ?? 'absent' },
        ],
        writes: [{ key: keys.acceptedLoss, value: encodeRecord('accepted-loss', loss) }],
      };
    }
    case 'take-lease':
      return takeLease(context, action);
    case 'take-next-term': {
      const { ttlMs, term } = action.lease.value;
      return {
        conditions: [same(keys.lease, action.lease)],
        writes: [...holding(context, term + 1, ttlMs), timelineWrite(action.timeline)],
      };
    }
    case 'record-timeline': {
      const revision = context.mirror.image.timelines.get(action.timeline.term)?.revision ?? 'absent';
      return {
        conditions: [same(keys.lease, action.lease), { key: timelineKey(action.timeline.term), revision }],
        writes: [timelineWrite(action.timeline)],
      };
    }
    case 'write-durability':
      return {
        conditions: [
          same(keys.lease, action.lease),
          { key: keys.durability, revision: action.replaces?.revision ?? 'absent' },
        ],
        writes: [{ key: keys.durability, value: encodeRecord('durability', action.record) }],
      };
    case 'take-handover':
      return {
        conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],
        writes: [
          ...holding(context, action.lease.value.term + 1, action.ttlMs),
          timelineWrite(action.timeline),
          handedOver(action.operation.value),
        ],
      };
    case 'take-released-lease': {
      const { undo, lease } = action;
      const taken = holding(context, lease.value.term + 1, action.ttlMs);
      if (undo === null) return { conditions: [same(keys.lease, lease)], writes: taken };
      return {
        conditions: [same(keys.lease, lease), same(keys.operation, undo.operation)],
        writes: [...taken, ...undone(undo.operation.value, undo)],
      };
    }
    case 'release-lease': {
      // A server may start again on the next renewal: a release that lands after that must fail.
      const revision = context.mirror.image.renewal?.revision ?? 'absent';
      return {
        conditions: [same(keys.lease, action.lease), { key: keys.renewal, revision }],
        writes: [released(context, action.lease.value, action.to)],
      };
    }
    case 'record-cluster':
      return {
        conditions: [same(keys.lease, action.lease), { key: keys.cluster, revision: 'absent' }],
        writes: [
          {
            key: keys.cluster,
            value: encodeRecord('cluster', {
              systemIdentifier: action.systemIdentifier,
              postgresMajor: action.postgresMajor,
            }),
          },
        ],
      };
    case 'publish-stopped':
      return {
        conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],
        writes: [
          operationWrite(
            { ...action.operation.value, timings: action.timings },
            { phase: 'stopped', shutdownLsn: action.shutdownLsn, timeline: action.timeline },
          ),
        ],
      };
    case 'undo-operation':
      return {
        conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],
        writes: undone(action.operation.value, action),
      };
    case 'finish-operation':
      return {
        conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],
        writes: [
          operationWrite(action.operation.value, { phase: 'finished', receipt: action.receipt.id }),
          { key: receiptKey(action.receipt.id), value: encodeRecord('receipt', action.receipt) },
        ],
      };
    case 'count-hands-off': {
      const { leftMs, handsOff } = action;
      return {
        conditions: [same(keys.handsOff, handsOff)],
        writes: [
          { key: keys.handsOff, value: encodeRecord('handsOff', { ...handsOff.value, leftMs: Math.ceil(leftMs) }) },
        ],
      };
    }
    case 'end-hands-off':
      return { conditions: [same(keys.handsOff, action.handsOff)], writes: [{ key: keys.handsOff, remove: true }] };
    case 'forget-node': {
      const key = action.role === 'member' ? memberKey(action.node) : poolerKey(action.node);
      const from = action.role === 'member' ? context.mirror.image.members : context.mirror.image.poolers;
      const revision = from.get(action.node)?.revision;
      return { conditions: revision === undefined ? [] : [{ key, revision }], writes: [{ key, remove: true }] };
    }
    case 'publish-status': {
      const revision = context.mirror.image.members.get(context.self)?.revision ?? 'absent';
      const key = memberKey(context.self);
      return { conditions: [{ key, revision }], writes: [{ key, value: encodeRecord('member', action.status) }] };
    }
    default:
      return unreachable(action);
  }
}

/** Everything that the election was judged by; the durability record is rewritten, so that no older write of it lands. */
function takeLease(context: ExecutionContext, action: Extract<StoreAction, { do: 'take-lease' }>): Transaction {
  const { lease, renewal, durability, accepted, timeline, ttlMs } = action;
  const term = lease.value.term + 1;
  const old = [...context.mirror.image.ballots.values()].filter(({ value }) => value.term <= term);
  return {
    conditions: [
      same(keys.lease, lease),
      same(keys.renewal, renewal),
      { key: keys.durability, revision: durability?.revision ?? 'absent' },
      // Whoever took the automation's hands off a moment ago must not see a failover a moment later.
      { key: keys.handsOff, revision: 'absent' },
      ...(accepted === null ? [] : [same(keys.acceptedLoss, accepted)]),
    ],
    writes: [
      ...holding(context, term, ttlMs),
      timelineWrite(accepted === null ? timeline : { ...timeline, acceptedLoss: lossOf(accepted) }),
      ...(durability === null ? [] : [{ key: keys.durability, value: encodeRecord('durability', durability.value) }]),
      ...old.map(({ value }): StoreWrite => ({ key: ballotKey(value.term, value.node), remove: true })),
    ],
  };
}

function lossOf({ value, lacksBytes }: NonNullable<Extract<StoreAction, { do: 'take-lease' }>['accepted']>) {
  return { by: value.by, lacksBytes };
}

function timelineWrite(timeline: TimelineRecord): StoreWrite {
  return { key: timelineKey(timeline.term), value: encodeRecord('timeline', timeline) };
}

function same(key: string, stored: Stored<unknown>): StoreCondition {
  return { key, revision: stored.revision };
}

function renewalWrite(
  term: number,
  counter: number,
  facts: { readonly written: WrittenPosition | null; readonly boots?: Renewal['boots'] },
): StoreWrite {
  const { written, boots } = facts;
  const renewal: Renewal = { term, counter, boots, ...(written === null ? {} : { written }) };
  return { key: keys.renewal, value: encodeRecord('renewal', renewal) };
}

function holding(context: ExecutionContext, term: number, ttlMs: number): readonly StoreWrite[] {
  const lease: Lease = { state: 'held', term, holder: context.self, ttlMs };
  return [{ key: keys.lease, value: encodeRecord('lease', lease) }, renewalWrite(term, 0, { written: null })];
}

function released(context: ExecutionContext, lease: Lease, to: string | null): StoreWrite {
  return {
    key: keys.lease,
    value: encodeRecord('lease', {
      state: 'released',
      term: lease.term,
      by: context.self,
      to,
      ttlMs: lease.ttlMs,
    }),
  };
}

function operationWrite(operation: Operation, phase: OperationPhase): StoreWrite {
  const { id, kind, from, to, term, poolers, without, forceAfterMs, paceMs, timings, startedAt, requestedBy } =
    operation;
  const { drainTimeoutMs, stopTimeoutMs, promoteTimeoutMs } = operation;
  const plan = { id, kind, from, to, term, poolers, without, forceAfterMs, paceMs, startedAt, requestedBy };
  const limits = { drainTimeoutMs, stopTimeoutMs, promoteTimeoutMs };
  return { key: keys.operation, value: encodeRecord('operation', { ...plan, ...limits, timings, ...phase }) };
}

function handedOver(operation: Operation): StoreWrite {
  if (operation.phase !== 'stopped') throw new Error(`a handover of an operation that is ${operation.phase}`);
  const { shutdownLsn, timeline } = operation;
  return operationWrite(operation, { phase: 'handed-over', shutdownLsn, timeline });
}

type Undone = Extract<StoreAction, { do: 'undo-operation' }>;

function undone(operation: Operation, how: Pick<Undone, 'reason' | 'detail' | 'receipt'>): readonly StoreWrite[] {
  return [
    operationWrite(operation, { phase: 'undone', reason: how.reason, detail: how.detail }),
    { key: receiptKey(operation.id), value: encodeRecord('receipt', how.receipt) },
  ];
}

function renewalOf(action: StoreAction, sentAtMs: number): OwnRenewal | null {
  switch (action.do) {
    case 'renew-lease': {
      const lease = action.lease.value;
      return lease.state === 'held' ? { term: lease.term, sentAtMs, ttlMs: lease.ttlMs } : null;
    }
    case 'take-first-lease':
      return { term: 1, sentAtMs, ttlMs: action.ttlMs };
    case 'take-next-term':
      return { term: action.lease.value.term + 1, sentAtMs, ttlMs: action.lease.value.ttlMs };
    case 'take-lease':
    case 'take-handover':
    case 'take-released-lease':
      return { term: action.lease.value.term + 1, sentAtMs, ttlMs: action.ttlMs };
    default:
      return null;
  }
}

function tell(context: ExecutionContext, action: StoreAction): void {
  const node = context.self;
  switch (action.do) {
    case 'take-first-lease':
      context.emit('lease.taken', { node, term: 1 });
      return;
    case 'take-released-lease':
      context.emit('lease.taken', { node, term: action.lease.value.term + 1 });
      if (action.undo !== null)
        tellUndone(context, action.undo.operation.value.id, action.undo.reason, action.undo.detail);
      return;
    case 'write-ballot': {
      const { term, lsn, timeline } = action.ballot;
      context.emit('failover.ballot', { node, term, lsn, timeline });
      return;
    }
    case 'take-lease':
      tellAccepted(context, action);
      context.emit('failover.decided', { node, term: action.lease.value.term + 1 });
      if (action.rebooted.length > 0) {
        const nodes = action.rebooted.join(', ');
        context.emit('failover.remote_write_unsure', { node, term: action.lease.value.term + 1, nodes });
      }
      return;
    case 'write-durability':
      tellDurability(context, action);
      return;
    case 'take-next-term':
      context.emit('lease.next_term', { node, term: action.lease.value.term + 1 });
      return;
    case 'take-handover': {
      const term = action.lease.value.term + 1;
      context.emit('switchover.handed_over', { to: node, term, operation: action.operation.value.id });
      return;
    }
    case 'release-lease':
      context.emit('lease.released', { node, term: action.lease.value.term, to: action.to ?? 'whoever is elected' });
      return;
    case 'publish-stopped': {
      const operation = action.operation.value.id;
      context.emit('switchover.stopped', { from: node, lsn: action.shutdownLsn, operation });
      return;
    }
    case 'undo-operation':
      tellUndone(context, action.operation.value.id, action.reason, action.detail);
      return;
    case 'end-hands-off':
      context.emit('hands_off.ended', { because: 'its time is over' });
      return;
    case 'finish-operation': {
      const { id, pauseMs } = action.receipt;
      context.emit('switchover.finished', { operation: id, to: node, pauseMs });
      return;
    }
    default:
      return;
  }
}

/** Before the server's own set changes: from here on elections rest on it. */
function tellDurability(context: ExecutionContext, action: Extract<StoreAction, { do: 'write-durability' }>): void {
  const { record, replaces } = action;
  const set = describeSyncSet(record);
  const isWorse = record.degraded === true && record.k < (replaces?.value.k ?? 0);
  if (isWorse) context.emit('durability.degraded', { node: context.self, set });
  else if (record.degraded !== true && replaces?.value.degraded === true)
    context.emit('durability.restored', { node: context.self, set });
}

/** Loud, and before all else: from here on something may be gone that was acknowledged. */
function tellAccepted(context: ExecutionContext, action: Extract<StoreAction, { do: 'take-lease' }>): void {
  if (action.accepted === null) return;
  const { value, lacksBytes } = action.accepted;
  const { forkLsn } = action.timeline;
  context.emit('failover.loss_accepted', { node: context.self, term: value.term, by: value.by, forkLsn, lacksBytes });
}

function tellUndone(context: ExecutionContext, operation: string, reason: string, detail: string): void {
  context.emit('switchover.undone', { operation, reason, detail });
}

function unreachable(value: never): never {
  throw new Error(`not a known store action: ${JSON.stringify(value)}`);
}
