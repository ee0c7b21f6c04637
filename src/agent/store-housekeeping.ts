/** The transactions that neither move the lease nor a switchover: ballots, records of what is, a node's own status. */
import { describeSyncSet } from '../core/rules/sync-standbys.ts';
import { encodeRecord } from '../records/codecs.ts';
import { ballotKey, keys, memberKey, poolerKey, timelineKey } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import { timelineWrite } from './store-lease.ts';
import {
  type ActionOf,
  type StoreEvent,
  type StoreTransaction,
  same,
  sameOrAbsent,
  silently,
} from './store-transaction.ts';

export function writeBallot(context: ExecutionContext, action: ActionOf<'write-ballot'>): StoreTransaction {
  const { ballot, lease } = action;
  const { term, node, lsn, timeline } = ballot;
  const key = ballotKey(term, node);
  return {
    ...silently,
    conditions: [same(keys.lease, lease), sameOrAbsent(key, context.mirror.image.ballots.get(`${term}/${node}`))],
    writes: [{ key, value: encodeRecord('ballot', ballot) }],
    outcome: (atMs) => ({ kind: 'ballot-written', term, key: action.key, atMs }),
    events: [{ name: 'failover.ballot', facts: { node: context.self, term, lsn, timeline } }],
  };
}

export function acceptLoss({ clock }: ExecutionContext, action: ActionOf<'accept-loss'>): StoreTransaction {
  const loss = { ...action.loss, at: clock.wallClock().toISOString() };
  return {
    ...silently,
    conditions: [
      same(keys.lease, action.lease),
      same(keys.renewal, action.renewal),
      sameOrAbsent(keys.acceptedLoss, action.replaces),
    ],
    writes: [{ key: keys.acceptedLoss, value: encodeRecord('accepted-loss', loss) }],
  };
}

export function recordTimeline({ mirror }: ExecutionContext, action: ActionOf<'record-timeline'>): StoreTransaction {
  const { lease, timeline } = action;
  const known = mirror.image.timelines.get(timeline.term);
  return {
    ...silently,
    conditions: [same(keys.lease, lease), sameOrAbsent(timelineKey(timeline.term), known)],
    writes: [timelineWrite(timeline)],
  };
}

export function writeDurability({ self }: ExecutionContext, action: ActionOf<'write-durability'>): StoreTransaction {
  const { lease, replaces, record } = action;
  return {
    ...silently,
    conditions: [same(keys.lease, lease), sameOrAbsent(keys.durability, replaces)],
    writes: [{ key: keys.durability, value: encodeRecord('durability', record) }],
    outcome: () => ({ kind: 'durability-written', term: record.term }),
    events: durabilityEvents(self, action),
  };
}

/** Before the server's own set changes: from here on elections rest on it. */
function durabilityEvents(node: string, action: ActionOf<'write-durability'>): readonly StoreEvent[] {
  const { record, replaces } = action;
  const facts = { node, set: describeSyncSet(record) };
  if (record.degraded === true)
    return record.k < (replaces?.value.k ?? 0) ? [{ name: 'durability.degraded', facts }] : [];
  return replaces?.value.degraded === true ? [{ name: 'durability.restored', facts }] : [];
}

export function recordCluster(action: ActionOf<'record-cluster'>): StoreTransaction {
  const { lease, systemIdentifier, postgresMajor } = action;
  return {
    ...silently,
    conditions: [same(keys.lease, lease), sameOrAbsent(keys.cluster, null)],
    writes: [{ key: keys.cluster, value: encodeRecord('cluster', { systemIdentifier, postgresMajor }) }],
  };
}

export function countHandsOff({ handsOff, leftMs }: ActionOf<'count-hands-off'>): StoreTransaction {
  const value = encodeRecord('handsOff', { ...handsOff.value, leftMs: Math.ceil(leftMs) });
  return { ...silently, conditions: [same(keys.handsOff, handsOff)], writes: [{ key: keys.handsOff, value }] };
}

export function endHandsOff({ handsOff }: ActionOf<'end-hands-off'>): StoreTransaction {
  return {
    ...silently,
    conditions: [same(keys.handsOff, handsOff)],
    writes: [{ key: keys.handsOff, remove: true }],
    events: [{ name: 'hands_off.ended', facts: { because: 'its time is over' } }],
  };
}

export function forgetNode({ mirror }: ExecutionContext, { node, role }: ActionOf<'forget-node'>): StoreTransaction {
  const key = role === 'member' ? memberKey(node) : poolerKey(node);
  const stored = role === 'member' ? mirror.image.members.get(node) : mirror.image.poolers.get(node);
  return { ...silently, conditions: stored === undefined ? [] : [same(key, stored)], writes: [{ key, remove: true }] };
}

export function publishStatus(context: ExecutionContext, action: ActionOf<'publish-status'>): StoreTransaction {
  const { key, status } = action;
  const own = memberKey(context.self);
  return {
    ...silently,
    conditions: [sameOrAbsent(own, context.mirror.image.members.get(context.self))],
    writes: [{ key: own, value: encodeRecord('member', status) }],
    outcome: (atMs) => ({ kind: 'status-published', key, counter: status.counter, atMs }),
    lookAgain: false,
  };
}
