/**
 * What a node without the lease does when nobody holds it any more (PROTOCOLS, "Failover" 1 to 7).
 *
 *   free (lease-watch.ts) -> look -> cut -> last words -> ballot -> elect, take (election.ts)
 *
 * Invariants: the lease counts as free only when a linearizable look just found it unchanged; a node cuts itself off
 * before it writes its ballot, and never while a promise binds it; what counts is a cut that came to its end; the
 * position in a ballot is the determined end of its WAL.
 */

import type { Action } from '../actions.ts';
import type { Ballot } from '../ballot.ts';
import type { Stored } from '../cluster-view.ts';
import { type Lease, lastHolder } from '../lease.ts';
import { formatLsn } from '../lsn.ts';
import { cutTerm, promiseLeftMs } from '../promise.ts';
import { shutOutText } from '../revocation.ts';
import { act, nothing, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import { electAndTake } from './election.ts';
import { endHung, hungPrimaryAfterMs } from './hung.ts';
import { retryAfterMs } from './job-retry.ts';
import { freeInMs } from './lease-watch.ts';
import { leastDiskBytes } from './successors.ts';

/** A look at the lease is good for this long, in ms: the transaction compares it all again. */
const lookGoodForMs = 500;
const soonMs = 20;

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
  return (
    cutFirst(situation, lease.value) ??
    hearLastWords(situation, lease.value) ??
    writeBallot(situation, lease, term) ??
    electAndTake(situation, lease, term)
  );
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
      return startToBeHeard(situation, lease);
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
function startToBeHeard(situation: Situation, lease: Lease): Verdict {
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

/** Whoever released the lease lives, and its PostgreSQL is proven gone: its disk may have what nobody received. */
function hearLastWords({ memory, self, view }: Situation, lease: Lease): Verdict | null {
  const term = lease.term + 1;
  if (lease.state !== 'released' || lease.by === self || view.postgres.state !== 'standby') return null;
  if (memory.heardLastWords === term) return null;
  return act(
    [{ do: 'hear-last-words', from: lease.by, term, because: ['lease-released'] }],
    { code: 'last-words', text: `asking ${lease.by} for the WAL that nobody received` },
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
  if (view.store.shutOut.has(view.self)) return shutOutText;
  if (postgres.state !== 'standby') return `its PostgreSQL is ${postgres.state}`;
  if (postgres.replayPaused) return 'its replay is paused';
  if (postgres.systemIdentifier !== view.store.cluster?.value.systemIdentifier) return 'it is of another cluster';
  if (view.diskFreeBytes !== null && view.diskFreeBytes < leastDiskBytes) return 'its disk is full';
  return null;
}
