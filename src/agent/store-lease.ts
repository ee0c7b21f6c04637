/**
 * The transactions that renew, take and release the lease.
 *
 * Invariants: whatever the holder itself writes of its lease compares the renewal that it saw, so that nothing of it can
 * land after a later one; a handover compares the operation's very revision and the lease, not the counter (which the
 * holder goes on renewing); an election compares everything that it was judged by (docs/adr/0002).
 */
import type { Lease, Renewal } from '../core/lease.ts';
import type { Operation } from '../core/operation.ts';
import type { TimelineRecord } from '../core/timelines.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { ballotKey, keys, timelineKey } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import { operationWrite, undone, undoneEvent } from './store-operation.ts';
import {
  type ActionOf,
  type StoreEvent,
  type StoreTransaction,
  same,
  sameOrAbsent,
  silently,
} from './store-transaction.ts';

type Self = Pick<ExecutionContext, 'self'>;

export function renewLease(action: ActionOf<'renew-lease'>): StoreTransaction {
  const { lease, renewal, written, boots, candidates } = action;
  const { term, counter } = renewal.value;
  const next: Renewal = { term, counter: counter + 1, candidates, boots, ...(written === null ? {} : { written }) };
  const { ttlMs } = lease.value;
  return {
    ...silently,
    conditions: [same(keys.lease, lease), same(keys.renewal, renewal)],
    writes: [{ key: keys.renewal, value: encodeRecord('renewal', next) }],
    right: lease.value.state === 'held' ? { term: lease.value.term, ttlMs } : null,
    lookAgain: false,
  };
}

export function takeFirstLease(context: Self, action: ActionOf<'take-first-lease'>): StoreTransaction {
  return {
    ...silently,
    conditions: [keys.lease, keys.renewal, keys.cluster].map((key) => sameOrAbsent(key, null)),
    ...holding(context, 1, action),
    events: [{ name: 'lease.taken', facts: { node: context.self, term: 1 } }],
  };
}

export function takeReleasedLease(
  context: ExecutionContext,
  action: ActionOf<'take-released-lease'>,
): StoreTransaction {
  const { undo, lease } = action;
  const term = lease.value.term + 1;
  const { writes, right } = holding(context, term, action);
  const taken: StoreEvent = { name: 'lease.taken', facts: { node: context.self, term } };
  const only = { ...silently, conditions: [same(keys.lease, lease)], writes, right, events: [taken] };
  if (undo === null) return only;
  return {
    ...only,
    conditions: [...only.conditions, same(keys.operation, undo.operation)],
    writes: [...writes, ...undone(undo.operation.value, undo)],
    events: [taken, undoneEvent(undo.operation.value.id, undo)],
  };
}

export function takeNextTerm(context: Self, action: ActionOf<'take-next-term'>): StoreTransaction {
  const { ttlMs } = action.lease.value;
  const term = action.lease.value.term + 1;
  const { writes, right } = holding(context, term, { ttlMs, candidates: action.candidates });
  return {
    ...silently,
    conditions: [same(keys.lease, action.lease), same(keys.renewal, action.renewal)],
    writes: [...writes, timelineWrite(action.timeline)],
    right,
    events: [{ name: 'lease.next_term', facts: { node: context.self, term } }],
  };
}

export function takeHandover(context: Self, action: ActionOf<'take-handover'>): StoreTransaction {
  const term = action.lease.value.term + 1;
  const { writes, right } = holding(context, term, action);
  const { value: operation } = action.operation;
  return {
    ...silently,
    conditions: [same(keys.operation, action.operation), same(keys.lease, action.lease)],
    writes: [...writes, timelineWrite(action.timeline), handedOver(operation)],
    right,
    events: [{ name: 'switchover.handed_over', facts: { to: context.self, term, operation: operation.id } }],
  };
}

/** The durability record is rewritten as it was, so that no older write of it lands. */
export function takeLease(context: ExecutionContext, action: ActionOf<'take-lease'>): StoreTransaction {
  const { lease, renewal, durability, accepted, timeline } = action;
  const term = lease.value.term + 1;
  const { writes, right } = holding(context, term, action);
  const old = [...context.mirror.image.ballots.values()].filter(({ value }) => value.term <= term);
  const loss = accepted === null ? null : { by: accepted.value.by, lacksBytes: accepted.lacksBytes };
  return {
    ...silently,
    conditions: [
      same(keys.lease, lease),
      same(keys.renewal, renewal),
      sameOrAbsent(keys.durability, durability),
      // Whoever took the automation's hands off a moment ago must not see a failover a moment later.
      sameOrAbsent(keys.handsOff, null),
      ...(accepted === null ? [] : [same(keys.acceptedLoss, accepted)]),
    ],
    writes: [
      ...writes,
      timelineWrite(loss === null ? timeline : { ...timeline, acceptedLoss: loss }),
      ...(durability === null ? [] : [{ key: keys.durability, value: encodeRecord('durability', durability.value) }]),
      ...old.map(({ value }): StoreWrite => ({ key: ballotKey(value.term, value.node), remove: true })),
    ],
    right,
    events: electionEvents(context, action),
  };
}

function electionEvents({ self: node }: Self, action: ActionOf<'take-lease'>): readonly StoreEvent[] {
  const { accepted, timeline, rebooted } = action;
  const term = action.lease.value.term + 1;
  const decided: StoreEvent = { name: 'failover.decided', facts: { node, term } };
  const nodes = rebooted.join(', ');
  const unsure: StoreEvent = { name: 'failover.remote_write_unsure', facts: { node, term, nodes } };
  const all = rebooted.length === 0 ? [decided] : [decided, unsure];
  if (accepted === null) return all;
  // Loud, and before all else: from here on something may be gone that was acknowledged.
  const { value, lacksBytes } = accepted;
  const facts = { node, term: value.term, by: value.by, forkLsn: timeline.forkLsn, lacksBytes };
  return [{ name: 'failover.loss_accepted', facts }, ...all];
}

/** A holder that goes on after an unanswered release renews first: from then on that release can't land. */
export function releaseLease({ self: node }: Self, action: ActionOf<'release-lease'>): StoreTransaction {
  const { lease, renewal, to } = action;
  const { term, ttlMs } = lease.value;
  const released: Lease = { state: 'released', term, by: node, to, ttlMs };
  return {
    ...silently,
    conditions: [same(keys.lease, lease), same(keys.renewal, renewal)],
    writes: [{ key: keys.lease, value: encodeRecord('lease', released) }],
    events: [{ name: 'lease.released', facts: { node, term, to: to ?? 'whoever is elected' } }],
  };
}

export function lookAtLease(action: ActionOf<'look-at-lease'>): StoreTransaction {
  const { lease, renewal, key } = action;
  return {
    ...silently,
    conditions: [same(keys.lease, lease), same(keys.renewal, renewal)],
    writes: [],
    outcome: (atMs) => ({ kind: 'lease-looked', key, atMs }),
  };
}

export function timelineWrite(timeline: TimelineRecord): StoreWrite {
  return { key: timelineKey(timeline.term), value: encodeRecord('timeline', timeline) };
}

function holding(
  { self: holder }: Self,
  term: number,
  { ttlMs, candidates }: Pick<Renewal, 'candidates'> & { readonly ttlMs: number },
): Pick<StoreTransaction, 'writes' | 'right'> {
  const lease: Lease = { state: 'held', term, holder, ttlMs };
  const renewal: Renewal = { term, counter: 0, candidates };
  return {
    writes: [
      { key: keys.lease, value: encodeRecord('lease', lease) },
      { key: keys.renewal, value: encodeRecord('renewal', renewal) },
    ],
    right: { term, ttlMs },
  };
}

function handedOver(operation: Operation): StoreWrite {
  if (operation.phase !== 'stopped') throw new Error(`a handover of an operation that is ${operation.phase}`);
  const { shutdownLsn, timeline } = operation;
  return operationWrite(operation, { phase: 'handed-over', shutdownLsn, timeline });
}
