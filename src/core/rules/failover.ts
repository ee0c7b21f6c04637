/**
 * What a node without the lease does when nobody holds it any more (PROTOCOLS, "Failover" 1 to 7).
 *
 *   free? -> look -> cut -> ballot -> elect -> take, in one transaction
 *
 * Invariants: the lease counts as free only when it was released to nobody by name, or when its counter was seen to
 * stand still for TTL + drift on this node's own boottime and a linearizable look just found it unchanged; a node
 * cuts itself off before it writes its ballot, and never while a promise binds it; the position in a ballot is the
 * determined end of its WAL; only the elected takes, and compares everything that the election was judged by.
 */

import { type AcceptedLoss, acceptedFor } from '../accepted-loss.ts';
import type { Action } from '../actions.ts';
import { type Ballot, type Election, elect } from '../ballot.ts';
import type { Stored } from '../cluster-view.ts';
import type { Refusal } from '../decision.ts';
import { driftMs, type Lease, lastHolder, type Renewal } from '../lease.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import type { DatabaseMemory, LeaseWatch } from '../memory.ts';
import { cutTerm, promiseLeftMs } from '../promise.ts';
import { act, nothing, otherDatabaseNodes, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { type Position, type TimelineRecord, type Timelines, unusedTimeline } from '../timelines.ts';
import { endHung, hungPrimaryAfterMs } from './hung.ts';
import { retryAfterMs } from './job-retry.ts';
import { leastDiskBytes } from './successors.ts';
import { acceptUnheard } from './unheard.ts';

/** A look at the lease is good for this long, in ms: the transaction compares it all again. */
const lookGoodForMs = 500;
/** Without any answer from the store for this long, its silence says nothing of the holder's. */
const sightLostAfterMs = 5_000;
/** How long an election waits for ballots that it can do without, in ms. */
export const electionWindowMs = 1_000;
/** How long the elected may take to take the lease, in ms, before the next is elected. */
const electedPatienceMs = 2_000;
const soonMs = 20;

/** When lease and renewal were last seen to change; begun anew whenever the store was out of sight. */
export function watchLease(situation: Situation): LeaseWatch | null {
  const { view, memory, nowMs } = situation;
  const { lease, renewal, readAtMs, confirmedAtMs } = view.store;
  if (lease === null || renewal === null || readAtMs === null || confirmedAtMs === null) return null;
  if (nowMs - confirmedAtMs > sightLostAfterMs) return null;
  const key = `${lease.revision} ${renewal.revision}`;
  return memory.leaseWatch?.key === key ? memory.leaseWatch : { key, sinceMs: nowMs, lookedAtMs: null };
}

/** Milliseconds until the lease is free, by this node's own clock; `null`: it can't be said now. */
export function freeInMs(situation: Situation): number | null {
  const lease = situation.view.store.lease?.value;
  if (lease?.state === 'released' && lease.to === null) return 0;
  const watch = situation.memory.leaseWatch;
  if (lease === undefined || watch === null) return null;
  return Math.max(0, watch.sinceMs + lease.ttlMs + driftMs(lease.ttlMs) - situation.nowMs);
}

/** `null`: somebody holds the lease, or may still. */
export function decideFailover(situation: Situation, lease: Stored<Lease>): Verdict | null {
  const { memory, nowMs, view } = situation;
  if (freeInMs(situation) !== 0 || view.store.renewal === null) return null;
  const watch = memory.leaseWatch;
  if (watch === null) return null;
  const term = lease.value.term + 1;
  const text = `nobody has renewed term ${lease.value.term}`;
  if (watch.lookedAtMs === null || nowMs - watch.lookedAtMs > lookGoodForMs) {
    const look: Action = {
      do: 'look-at-lease',
      lease,
      renewal: view.store.renewal,
      key: watch.key,
      because: ['lease-still'],
    };
    return act([look], { code: 'lease-still', text }, 0);
  }
  return cutFirst(situation, lease.value) ?? writeBallot(situation, lease, term) ?? judge(situation, lease, term);
}

function cutFirst(situation: Situation, lease: Lease): Verdict | null {
  const { view, nowMs } = situation;
  const term = lease.term + 1;
  const { postgres, promise, bootId } = view;
  const bound = promiseLeftMs(promise, { nowMs, bootId });
  if (bound > 0) {
    const text = `this node has promised not to cut itself off for another ${Math.ceil(bound)} ms`;
    return refuse({ what: 'stand for election', blockedBy: 'promised', text }, bound);
  }
  switch (postgres.state) {
    case 'standby':
      break;
    case 'stopped':
      return startAlone(situation, lease);
    case 'starting':
    case 'orphaned':
      return wait({ code: `postgres-${postgres.state}`, text: `PostgreSQL is ${postgres.state}` }, soonMs);
    case 'unknown':
    case 'stopping':
      return endHung(situation, hungPrimaryAfterMs) ?? nothing(soonMs);
    case 'primary':
      return wait({ code: 'demoting', text: 'this node must not be primary' }, soonMs);
    case 'foreign':
    case 'missing-binaries':
      return refuse({ what: 'stand for election', blockedBy: postgres.state, text: postgres.because }, 500);
    default:
      return refuse({ what: 'stand for election', blockedBy: postgres.state, text: 'it has no data' }, 500);
  }
  if (isCut(situation, term)) return null;
  const backOff = retryAfterMs(view, 'cut');
  if (backOff > 0) return wait({ code: 'cut-failed', text: view.lastJobs.get('cut')?.error ?? '' }, backOff);
  return act(
    [{ do: 'cut', term, because: ['lease-still'] }],
    { code: 'cutting', text: `cutting off every holder below term ${term}` },
    soonMs,
  );
}

/**
 * By a cut of this very server that came to its end, never by the look of it: `pg_stat_wal_receiver` hides a receiver that
 * still connects, and the startup process may start one as long as it has not taken the reload.
 */
function isCut({ view, memory }: Situation, term: number): boolean {
  const { postgres, promise } = view;
  if (postgres.state !== 'standby' || cutTerm(promise) < term) return false;
  const isProven = memory.cutOff?.pid === postgres.pid && memory.cutOff.term >= term;
  return isProven && postgres.upstream === null && postgres.receiver === 'none';
}

/**
 * A stopped standby has a position too. So has who was primary before the last holder, and it may have what nobody else
 * has; it binds itself first, like every primary before its ballot. The last holder itself starts only as one.
 */
function startAlone(situation: Situation, lease: Lease): Verdict {
  const { postgres, store } = situation.view;
  if (postgres.state !== 'stopped') return nothing();
  const known = store.cluster?.value.systemIdentifier;
  const isLastHolder = lastHolder(lease) === situation.self;
  const mayStart = known === postgres.systemIdentifier && (postgres.lastRole === 'standby' || !isLastHolder);
  const backOff = retryAfterMs(situation.view, 'start');
  if (!mayStart || backOff > 0) {
    const text = mayStart ? 'its start failed lately' : 'it was primary last, and waits for a new one';
    return refuse({ what: 'stand for election', blockedBy: 'stopped', text }, Math.max(backOff, 500));
  }
  return act(
    [{ do: 'start', as: 'standby', from: null, cut: lease.term + 1, because: ['lease-still'] }],
    { code: 'starts-alone', text: 'starts without an upstream, to say how far it is' },
    soonMs,
  );
}

function writeBallot(situation: Situation, lease: Stored<Lease>, term: number): Verdict | null {
  const { view, memory, self, me } = situation;
  const { postgres } = view;
  if (postgres.state !== 'standby' || me === null) return nothing();
  if (postgres.walEnd === null) {
    const unknown = 'the end of its WAL is not known yet: replay goes on';
    return wait({ code: 'position-unknown', text: unknown }, soonMs);
  }
  const ballot: Ballot = {
    node: self,
    term,
    timeline: postgres.timeline,
    lsn: formatLsn(postgres.walEnd),
    bootId: view.bootId,
    priority: me.priority,
    unfit: whyUnfit(situation),
  };
  const key = JSON.stringify(ballot);
  const stored = view.store.ballots.get(`${term}/${self}`);
  if (memory.ballot?.key === key && stored !== undefined) return null;
  return act(
    [{ do: 'write-ballot', ballot, key, lease, because: ['cut-off'] }],
    { code: 'cut-off', text: `cut off for term ${term}, at ${ballot.lsn} of timeline ${ballot.timeline}` },
    0,
  );
}

/** Why a standby could not stand for election; `null`: it could. */
export function whyUnfit(situation: Situation): string | null {
  const { me, view } = situation;
  const { postgres } = view;
  if (me?.failover === 'never') return 'its declaration says `failover: never`';
  if (postgres.state !== 'standby') return `its PostgreSQL is ${postgres.state}`;
  if (postgres.replayPaused) return 'its replay is paused';
  if (postgres.systemIdentifier !== view.store.cluster?.value.systemIdentifier) return 'it is of another cluster';
  if (view.diskFreeBytes !== null && view.diskFreeBytes < leastDiskBytes) return 'its disk is full';
  return null;
}

export function electionOf(situation: Situation, lease: Lease): Election {
  const { acceptedLoss, renewal } = situation.view.store;
  return electionWith(situation, lease, acceptedFor(acceptedLoss?.value ?? null, lease.term, renewal?.value ?? null));
}

function electionWith(situation: Situation, lease: Lease, accepted: AcceptedLoss | null): Election {
  const { view, memory, spec } = situation;
  const term = lease.term + 1;
  return elect({
    term,
    lastHolder: lastHolder(lease),
    durability: view.store.durability?.value ?? null,
    ballots: [...view.store.ballots.values()].map(({ value }) => value),
    timelines: timelinesOf(situation),
    silent: memory.silent?.term === term ? memory.silent.nodes : new Set(),
    written: writtenBy(view.store.renewal?.value),
    boots: view.store.renewal?.value.boots ?? {},
    lossLimitBytes: spec?.failover.lossLimitBytes ?? null,
    accepted,
  });
}

/** How far the last holder had written when it renewed last. */
function writtenBy(renewal: Renewal | undefined): Position | null {
  const lsn = parseLsn(renewal?.written?.lsn ?? '');
  return renewal?.written === undefined || lsn === undefined ? null : { timeline: renewal.written.timeline, lsn };
}

function timelinesOf({ view }: Situation): Timelines {
  return new Map([...view.store.timelines].map(([term, { value }]) => [term, value]));
}

/** Who is to take the lease, as far as this node has seen; the second entry grows when one does not act in time. */
export function watchElected(situation: Situation): Pick<DatabaseMemory, 'elected' | 'silent'> {
  const { view, memory, nowMs } = situation;
  const lease = view.store.lease?.value;
  if (lease === undefined || freeInMs(situation) !== 0) return { elected: null, silent: null };
  const term = lease.term + 1;
  const { winner } = electionOf(situation, lease);
  const silent = memory.silent?.term === term ? memory.silent : null;
  if (winner === null) return { elected: null, silent };
  const before = memory.elected;
  if (before?.term !== term || before.node !== winner)
    return { elected: { term, node: winner, sinceMs: nowMs }, silent };
  if (winner === view.self || nowMs - before.sinceMs < electedPatienceMs + electionWindowMs) {
    return { elected: before, silent };
  }
  return { elected: null, silent: { term, nodes: new Set([...(silent?.nodes ?? []), winner]) } };
}

function judge(situation: Situation, lease: Stored<Lease>, term: number): Verdict {
  const { view, memory, self, spec, nowMs } = situation;
  const election = electionOf(situation, lease.value);
  const refused = election.candidates.flatMap(({ node, because }): readonly Refusal[] =>
    because === null ? [] : [{ what: `elect ${node}`, blockedBy: 'unelectable', text: because }],
  );
  const missing = election.unheard.length === 0 ? '' : `; not heard: ${election.unheard.join(', ')}`;
  if (election.winner === null || spec === null) {
    const text = `nobody can be elected for term ${term} yet${missing}`;
    const accept = acceptUnheard(situation, lease, {
      text,
      elect: (loss) => electionWith(situation, lease.value, loss),
    });
    return { ...(accept ?? wait({ code: 'no-winner', text }, 100)), refused };
  }
  const last = lastHolder(lease.value);
  const expected = otherDatabaseNodes(situation).filter(({ name }) => name !== last);
  const allHeard = expected.every(({ name }) => view.store.ballots.has(`${term}/${name}`));
  const openMs = (memory.ballot?.term === term ? memory.ballot.atMs : nowMs) + electionWindowMs - nowMs;
  if (!allHeard && openMs > 0) {
    return { ...wait({ code: 'election-open', text: `waiting for ballots of term ${term}` }, openMs), refused };
  }
  if (election.winner !== self) {
    return { ...wait({ code: 'elected-other', text: `${election.winner} is elected for term ${term}` }, 100), refused };
  }
  const { postgres } = view;
  if (postgres.state !== 'standby' || postgres.walEnd === null || view.store.renewal === null) return nothing(soonMs);
  const take: Action = {
    do: 'take-lease',
    lease,
    renewal: view.store.renewal,
    durability: view.store.durability,
    accepted: acceptedBy(situation, election),
    rebooted: election.rebooted,
    // It may end inside a record, and the fork lies before that: at what has been replayed, or past it, never below.
    timeline: nextTimeline(situation, term, postgres.timeline, formatLsn(postgres.replayedLsn)),
    ttlMs: spec.lease.ttlMs,
    because: ['elected'],
  };
  return { ...act([take], { code: 'elected', text: `elected for term ${term}` }, 0), refused };
}

/** The accepted loss without which this node would not be elected. */
function acceptedBy({ view, self }: Situation, election: Election) {
  const own = election.candidates.find(({ node }) => node === self);
  const stored = view.store.acceptedLoss;
  return own?.byAcceptance === true && stored !== null ? { ...stored, lacksBytes: own.lacksBytes } : null;
}

/** The timeline that a promotion in this term takes; no other term ever used it. */
export function nextTimeline(situation: Situation, term: number, local: number, forkLsn: string): TimelineRecord {
  return { term, timeline: unusedTimeline(timelinesOf(situation), local), parent: local, forkLsn };
}

/** Nodes that have cut themselves off from this term: by their ballots, or by their own word. */
export function cutFrom({ view }: Situation, lease: Lease): readonly NodeName[] {
  const ballots = [...view.store.ballots.values()].filter(({ value }) => value.term > lease.term);
  const members = [...view.store.members.values()].filter(({ value }) => value.cutTerm > lease.term);
  return [...ballots, ...members].map(({ value }) => value.node);
}
