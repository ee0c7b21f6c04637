/**
 * What a person who asks for a failover is told: who is elected anyway, who would be if a loss were accepted, and what
 * stands against either.
 *
 * Invariant: it judges by the very election that the nodes hold (ballot.ts), and nobody is shown a smaller loss than the
 * one that is recorded for them: `covers` is as narrow as it can be. It decides nothing and lifts no fence: a lease that
 * is held is waited for, and a primary that is alive is moved by a switchover.
 */
import type { AcceptedLoss } from '../accepted-loss.ts';
import type { Candidate, Election } from '../ballot.ts';
import type { Refusal } from '../decision.ts';
import { driftMs, type Lease, lastHolder } from '../lease.ts';
import { liveMember, otherDatabaseNodes, type Situation } from '../situation.ts';
import { findNode, isDelayed, type NodeName } from '../spec.ts';
import { electionOf } from './election.ts';
import { freeInMs, watchLease } from './lease-watch.ts';

/** What accepting a loss would bring. */
export interface AcceptableLoss {
  /** Who would be elected. */
  readonly node: NodeName;
  readonly covers: AcceptedLoss['covers'];
  /** What it is known to lack, in bytes. */
  readonly atLeastBytes: number;
  /** Where its WAL ends: whatever was committed after that may be gone, and nobody knows how much that is. */
  readonly unknownAfter: { readonly timeline: number; readonly lsn: string } | null;
}

export interface FailoverPlan {
  /** The term of the election; with the counter of the last renewal it names what was looked at. */
  readonly term: number;
  readonly counter: number;
  readonly lastHolder: NodeName;
  /** Too early to say: the lease is not free, or ballots are still being written; in ms. */
  readonly waitMs: number | null;
  readonly blockers: readonly Refusal[];
  readonly candidates: readonly Candidate[];
  /** Members of the durability record's set that are not heard, and how many of it must be. */
  readonly unheard: readonly NodeName[];
  readonly needed: number | null;
  /** Elected without anybody's consent. */
  readonly winner: NodeName | null;
  readonly loss: AcceptableLoss | null;
}

/** So long after the lease became free live nodes are waited for, in ms: a cut restarts their PostgreSQL. */
const ballotsWithinMs = 15_000;
const lookAgainMs = 300;

/** `null`: there is no lease, and so nothing to fail over. */
export function planFailover(seen: Situation, to: NodeName | null): FailoverPlan | null {
  // The store may have changed since the loop looked last.
  const situation = { ...seen, memory: { ...seen.memory, leaseWatch: watchLease(seen) } };
  const { view } = situation;
  const lease = view.store.lease?.value;
  const renewal = view.store.renewal?.value;
  if (lease === undefined || renewal === undefined) return null;
  const election = electionOf(withAccepted(situation, null), lease);
  const loss = election.winner === null ? acceptableLoss(situation, lease, to) : null;
  const plan: FailoverPlan = {
    term: lease.term + 1,
    counter: renewal.counter,
    lastHolder: lastHolder(lease),
    waitMs: null,
    blockers: [],
    candidates: election.candidates,
    unheard: election.unheard,
    needed: election.needed,
    winner: election.winner,
    loss,
  };
  const waitMs = tooEarlyMs(situation, lease, plan);
  const first = firstBlocker(situation, lease, to);
  if (first !== null) return { ...plan, blockers: [first] };
  return waitMs === null ? { ...plan, blockers: unelectable(plan, election, to) } : { ...plan, waitMs };
}

/** The narrowest acceptance that elects somebody; `null`: none does. */
function acceptableLoss(situation: Situation, lease: Lease, to: NodeName | null): AcceptableLoss | null {
  const counter = situation.view.store.renewal?.value.counter ?? 0;
  for (const covers of ['unheard', 'all'] as const) {
    const accepted = { term: lease.term + 1, counter, to, covers, by: '', at: '' };
    const { winner, candidates } = electionOf(withAccepted(situation, accepted), lease);
    const elected = candidates.find(({ node }) => node === winner);
    if (elected === undefined) continue;
    const ballot = situation.view.store.ballots.get(`${lease.term + 1}/${elected.node}`)?.value;
    const unknownAfter = ballot === undefined ? null : { timeline: ballot.timeline, lsn: ballot.lsn };
    return { node: elected.node, covers, atLeastBytes: elected.lacksBytes, unknownAfter };
  }
  return null;
}

function withAccepted(situation: Situation, value: AcceptedLoss | null): Situation {
  const { view } = situation;
  const acceptedLoss = value === null ? null : { value, revision: 0 };
  return { ...situation, view: { ...view, store: { ...view.store, acceptedLoss } } };
}

/** The holder renews about every TTL/6: after two of these without one it may be gone. */
function mayBeGone({ memory, nowMs }: Situation, lease: Lease): boolean {
  const watch = memory.leaseWatch;
  return lease.state === 'released' || (watch !== null && nowMs - watch.sinceMs > lease.ttlMs / 3);
}

function tooEarlyMs(situation: Situation, lease: Lease, { winner }: FailoverPlan): number | null {
  const { memory, nowMs } = situation;
  const freeIn = freeInMs(situation);
  if (freeIn === null) return lookAgainMs;
  if (freeIn > 0) return freeIn;
  if (winner !== null || memory.leaseWatch === null) return null;
  const stillMs = lease.state === 'released' && lease.to === null ? 0 : lease.ttlMs + driftMs(lease.ttlMs);
  const freeForMs = nowMs - memory.leaseWatch.sinceMs - stillMs;
  return freeForMs < ballotsWithinMs && areBallotsDue(situation, lease) ? lookAgainMs : null;
}

function areBallotsDue(situation: Situation, lease: Lease): boolean {
  const { view, me, self } = situation;
  const last = lastHolder(lease);
  const live = otherDatabaseNodes(situation).filter(
    (node) => !isDelayed(node) && liveMember(situation, node.name) !== null,
  );
  const own = me?.role === 'database' && !isDelayed(me) ? [self] : [];
  const expected = [...own, ...live.map(({ name }) => name)].filter((name) => name !== last);
  return expected.some((name) => !view.store.ballots.has(`${lease.term + 1}/${name}`));
}

function firstBlocker(situation: Situation, lease: Lease, to: NodeName | null): Refusal | null {
  const { view, spec, memory, nowMs } = situation;
  const what = 'failover';
  if (view.store.handsOff !== null) {
    return { what, blockedBy: 'hands-off', text: 'hands are off: nobody is elected meanwhile' };
  }
  if (to !== null && (spec === null || findNode(spec, to)?.role !== 'database')) {
    return { what, blockedBy: 'unknown-node', text: `there is no database node ${to}` };
  }
  if (lease.state === 'held' && !mayBeGone(situation, lease)) {
    const watch = memory.leaseWatch;
    const still = watch === null ? '' : `; its last renewal was seen ${Math.round(nowMs - watch.sinceMs)} ms ago`;
    const text = `${lease.holder} holds the lease of term ${lease.term} and renews it${still}`;
    return { what, blockedBy: 'lease-held', text };
  }
  return null;
}

function unelectable(plan: FailoverPlan, { winner }: Election, to: NodeName | null): readonly Refusal[] {
  const what = 'failover';
  if (winner !== null) {
    const text = `${winner} is elected without any loss, and takes over by itself`;
    return to === null || to === winner ? [] : [{ what, blockedBy: 'elected-other', text }];
  }
  if (plan.loss !== null) return [];
  if (plan.candidates.length === 0) {
    const text = `no node has cut itself off for term ${plan.term} and said how far it is`;
    return [{ what, blockedBy: 'nobody-heard', text }];
  }
  const wanted = plan.candidates.filter(({ node }) => to === null || node === to);
  if (wanted.length === 0) {
    return [{ what, blockedBy: 'not-heard', text: `${to ?? ''} has not said how far it is` }];
  }
  return wanted.map(({ node, because }) => ({ what, blockedBy: 'unfit', text: `${node}: ${because ?? ''}` }));
}
