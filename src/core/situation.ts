/**
 * A view with what follows from it directly: whose the lease is, which node this is, what is still unknown. Every
 * rule starts from here, so that no two rules read the same fact differently.
 */

import type { Action } from './actions.ts';
import type { ClusterView, MemberStatus, Stored, StoreView } from './cluster-view.ts';
import type { Reason, Refusal } from './decision.ts';
import type { Lease } from './lease.ts';
import { type DatabaseMemory, ownDeadlineMs } from './memory.ts';
import { isUnderWay } from './operation.ts';
import { findNode, type NodeName, type NodeSpec, nodesOfRole, type Spec } from './spec.ts';
import type { Timelines } from './timelines.ts';

export type LeasePosition =
  | { readonly is: 'unread' }
  | { readonly is: 'missing' }
  | { readonly is: 'mine'; readonly lease: Stored<Lease & { state: 'held' }>; readonly deadlineMs: number | null }
  | { readonly is: 'other'; readonly lease: Stored<Lease & { state: 'held' }>; readonly holder: NodeName }
  | { readonly is: 'released'; readonly lease: Stored<Lease & { state: 'released' }>; readonly to: NodeName | null };

export interface Situation {
  readonly view: ClusterView;
  readonly memory: DatabaseMemory;
  readonly nowMs: number;
  readonly self: NodeName;
  readonly spec: Spec | null;
  readonly specRevision: number;
  readonly me: NodeSpec | null;
  readonly lease: LeasePosition;
}

/** What one rule contributes: what is done, why, what is refused, and when to look again. */
export interface Verdict {
  readonly actions: readonly Action[];
  readonly reasons: readonly Reason[];
  readonly refused: readonly Refusal[];
  readonly lookAgainInMs: number;
}

/** How long without a change of its counter until a member counts as silent, in ms. */
export const memberSilentAfterMs = 6_000;

export function assess(view: ClusterView, memory: DatabaseMemory): Situation {
  const record = view.store.spec?.value ?? null;
  const spec = record?.spec ?? null;
  return {
    view,
    memory,
    nowMs: view.nowMs,
    self: view.self,
    spec,
    specRevision: record?.revision ?? 0,
    me: spec === null ? null : (findNode(spec, view.self) ?? null),
    lease: leasePosition(view, memory),
  };
}

/** Does the store say that the lease is this node's? Its deadline is another matter: `LeasePosition`. */
export function isHolder({ self, store }: ClusterView): boolean {
  const lease = store.lease?.value;
  return lease?.state === 'held' && lease.holder === self;
}

function leasePosition(view: ClusterView, memory: DatabaseMemory): LeasePosition {
  const stored = view.store.lease;
  if (view.store.readAtMs === null || view.store.unreadable.includes('lease')) return { is: 'unread' };
  if (stored === null) return { is: 'missing' };
  const lease = stored.value;
  if (lease.state === 'released')
    return { is: 'released', lease: { value: lease, revision: stored.revision }, to: lease.to };
  const held = { value: lease, revision: stored.revision };
  if (lease.holder !== view.self) return { is: 'other', lease: held, holder: lease.holder };
  return { is: 'mine', lease: held, deadlineMs: ownDeadlineMs(memory, lease.term) };
}

/** The status a member wrote, if its agent has been alive lately. */
export function liveMember(situation: Situation, node: NodeName): MemberStatus | null {
  const stored = situation.view.store.members.get(node);
  const seen = situation.memory.memberSeen.get(node);
  if (stored === undefined || seen === undefined || !seen.moved) return null;
  return situation.nowMs - seen.atMs <= memberSilentAfterMs ? stored.value : null;
}

/** Is this node known to accept writes in this term, by its own word? */
export function isWritable(situation: Situation, node: NodeName, term: number): boolean {
  const member = liveMember(situation, node);
  return member !== null && member.term === term && member.postgres.state === 'primary';
}

export function otherDatabaseNodes(situation: Situation): readonly NodeSpec[] {
  return situation.spec === null
    ? []
    : nodesOfRole(situation.spec, 'database').filter((node) => node.name !== situation.self);
}

/** As the store records them. */
export function timelinesOf({ timelines }: StoreView): Timelines {
  return new Map([...timelines].map(([term, { value }]) => [term, value]));
}

export function currentTerm(situation: Situation): number {
  return situation.view.store.lease?.value.term ?? 0;
}

/** The primary is being moved: nothing may take time or power from that which can wait. */
export function isMoving(situation: Situation): boolean {
  const { operation, lease } = situation.view.store;
  return operation !== null && isUnderWay(operation.value, lease?.value ?? null);
}

export function nothing(lookAgainInMs = 1_000): Verdict {
  return { actions: [], reasons: [], refused: [], lookAgainInMs };
}

export function act(actions: readonly Action[], reason: Reason, lookAgainInMs = 1_000): Verdict {
  return { actions, reasons: [reason], refused: [], lookAgainInMs };
}

export function wait(reason: Reason, lookAgainInMs = 1_000): Verdict {
  return { actions: [], reasons: [reason], refused: [], lookAgainInMs };
}

export function refuse(refusal: Refusal, lookAgainInMs = 1_000): Verdict {
  return { actions: [], reasons: [], refused: [refusal], lookAgainInMs };
}
