/**
 * Who is to take the free lease, and its taking (PROTOCOLS, "Failover" 6 and 7). Who is elected is ballot.ts's to say.
 *
 * Invariants: only the elected takes; its one transaction compares everything that the election was judged by: lease,
 * renewal, durability record, accepted loss. An election that can do without further ballots waits for them all the same
 * until its window ends; who is elected and does not act in time is passed over, and its position still counts.
 */
import { type AcceptedLoss, acceptedFor } from '../accepted-loss.ts';
import type { Action } from '../actions.ts';
import { type Election, elect } from '../ballot.ts';
import type { Stored } from '../cluster-view.ts';
import type { Refusal } from '../decision.ts';
import { type Lease, lastHolder, type Renewal } from '../lease.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import type { DatabaseMemory } from '../memory.ts';
import { act, nothing, otherDatabaseNodes, type Situation, timelinesOf, type Verdict, wait } from '../situation.ts';
import { isDelayed } from '../spec.ts';
import { type Position, type TimelineRecord, unusedTimeline } from '../timelines.ts';
import { candidatesToName, electable } from './candidates.ts';
import { freeInMs } from './lease-watch.ts';
import { acceptUnheard } from './unheard.ts';

/** How long an election waits for ballots that it can do without, in ms. */
export const electionWindowMs = 1_000;
/** How long the elected may take to take the lease, in ms, before the next is elected. */
const electedPatienceMs = 2_000;
const soonMs = 20;

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
    timelines: timelinesOf(situation.view.store),
    silent: memory.silent?.term === term ? memory.silent.nodes : new Set(),
    written: writtenBy(view.store.renewal?.value),
    boots: view.store.renewal?.value.boots ?? {},
    candidates: electable(lease, view.store.renewal?.value),
    lossLimitBytes: spec?.failover.lossLimitBytes ?? null,
    accepted,
  });
}

/** How far the last holder had written when it renewed last. */
function writtenBy(renewal: Renewal | undefined): Position | null {
  const lsn = parseLsn(renewal?.written?.lsn ?? '');
  return renewal?.written === undefined || lsn === undefined ? null : { timeline: renewal.written.timeline, lsn };
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

/** Waits, or takes the lease in one transaction that compares all that it was elected by. */
export function electAndTake(situation: Situation, lease: Stored<Lease>, term: number): Verdict {
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
  // A delayed standby knows the end of its WAL only when it has replayed it.
  const expected = otherDatabaseNodes(situation).filter((node) => node.name !== last && !isDelayed(node));
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
    candidates: candidatesToName(situation),
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
  return { term, timeline: unusedTimeline(timelinesOf(situation.view.store), local), parent: local, forkLsn };
}
