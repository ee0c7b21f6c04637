/**
 * What the holder of the lease does with its PostgreSQL.
 *
 * Invariant: nothing is started as primary or promoted without a renewal that this very process had acknowledged in
 * the current term and whose deadline lies ahead; never while an operation of its own is active (see switchover.ts).
 */
import type { Action } from '../actions.ts';
import { unreachable } from '../exhausted-union.ts';
import type { Lease } from '../lease.ts';
import { formatLsn } from '../lsn.ts';
import { mayRetry } from '../memory.ts';
import { cutTerm } from '../promise.ts';
import { act, currentTerm, isMoving, nothing, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import type { TimelineRecord } from '../timelines.ts';
import { receivedToArchive } from './archiving.ts';
import { candidatesToName } from './candidates.ts';
import { pauseBeforeStartMs, whyNotAgain } from './crashes.ts';
import { nextTimeline } from './election.ts';
import { endHung, hungPrimaryAfterMs } from './hung.ts';
import { retryAfterMs } from './job-retry.ts';
import { hasSuccessors } from './successors.ts';
import { decideAsNewPrimary, decideAsOldPrimary } from './switchover.ts';
import type { Held } from './switchover-undo.ts';
import { mustConfigure, owedSettling } from './sync-standbys.ts';
import { endUseless, shouldHandOver } from './useless.ts';

/** So much of the lease must be left before something is started or promoted on it. */
const marginMs = 500;

/** A promotion outside a switchover, after a restart in its middle. */
const promoteWithinMs = 30_000;

export function decideAsHolder(situation: Situation, lease: Held): Verdict {
  const switchover = decideAsOldPrimary(situation, lease) ?? decideAsNewPrimary(situation, lease);
  if (switchover !== null) return switchover;
  const { view, nowMs } = situation;
  const { postgres } = view;
  const deadline = situation.lease.is === 'mine' ? situation.lease.deadlineMs : null;
  const fresh = deadline !== null && nowMs < deadline - marginMs;
  switch (postgres.state) {
    case 'primary':
      return endUseless(situation) ?? asPrimary(situation, lease);
    case 'unknown':
    case 'stopping':
      return endHung(situation, hungPrimaryAfterMs) ?? nothing(50);
    case 'starting':
    case 'orphaned':
      return wait({ code: `postgres-${postgres.state}`, text: `PostgreSQL is ${postgres.state}` }, 50);
    case 'missing-binaries':
    case 'foreign':
      return refuse({ what: 'be primary', blockedBy: postgres.state, text: postgres.because });
    case 'absent':
    case 'unfinished':
      return withoutData(situation);
    case 'stopped':
    case 'standby':
      if (cutTerm(view.promise) > lease.value.term) return cutOff(situation, lease);
      if (!fresh)
        return wait({ code: 'renewal-awaited', text: 'nothing starts before a fresh renewal of the lease' }, 100);
      return postgres.state === 'standby' ? promote(situation, lease) : startAgain(situation, lease);
    default:
      return unreachable(postgres);
  }
}

/** The timeline that belongs to the term of the lease, as it was reserved when the lease was taken. */
function ownTimeline(situation: Situation): TimelineRecord | null {
  return situation.view.store.timelines.get(currentTerm(situation))?.value ?? null;
}

/** What the store should say of the timeline of this term, if it says something else. */
function timelineToRecord(situation: Situation, term: number): TimelineRecord | null {
  const { postgres } = situation.view;
  if (postgres.state !== 'primary') return null;
  const forkLsn = postgres.fork === null ? '0/0' : formatLsn(postgres.fork.lsn);
  const record = { term, timeline: postgres.timeline, parent: postgres.fork?.parent ?? null, forkLsn };
  const known = ownTimeline(situation);
  const isKnown = known?.timeline === record.timeline && known.parent === record.parent && known.forkLsn === forkLsn;
  const acceptedLoss = known?.acceptedLoss;
  return isKnown ? null : { ...record, ...(acceptedLoss === undefined ? {} : { acceptedLoss }) };
}

function asPrimary(situation: Situation, lease: Held): Verdict {
  const { postgres, store } = situation.view;
  const text = `${situation.self} holds term ${lease.value.term}`;
  if (postgres.state === 'primary' && store.cluster === null) {
    const record: Action = {
      do: 'record-cluster',
      systemIdentifier: postgres.systemIdentifier,
      postgresMajor: postgres.major,
      lease,
      because: ['cluster-new'],
    };
    return act([record], { code: 'cluster-new', text: 'the first primary names the cluster' }, 0);
  }
  if (cutFrom(situation, lease.value).length > 0) return takeNextTerm(situation, lease);
  if (situation.view.requests.restartPrimary && !isMoving(situation)) {
    return act(
      [{ do: 'restart-primary', because: ['restart-requested'] }],
      { code: 'restart-requested', text: 'the operator asked for a restart' },
      50,
    );
  }
  const timeline = isMoving(situation) ? null : timelineToRecord(situation, lease.value.term);
  if (timeline === null) return { ...nothing(), reasons: [{ code: 'holds-lease', text }] };
  return act(
    [{ do: 'record-timeline', timeline, lease, because: ['timeline-new'] }],
    { code: 'timeline-new', text },
    0,
  );
}

/** Nodes that have cut themselves off from this term: by their ballots, or by their own word. */
function cutFrom({ view }: Situation, lease: Lease): readonly NodeName[] {
  const ballots = [...view.store.ballots.values()].filter(({ value }) => value.term > lease.term);
  const members = [...view.store.members.values()].filter(({ value }) => value.cutTerm > lease.term);
  return [...ballots, ...members].map(({ value }) => value.node);
}

/** Standbys that cut themselves off for the next term would never come back to a holder of this one. */
function takeNextTerm(situation: Situation, lease: Held): Verdict {
  const term = lease.value.term + 1;
  const { postgres, store } = situation.view;
  const { renewal } = store;
  if (postgres.state !== 'primary' || renewal === null) return nothing();
  const forkLsn = postgres.fork === null ? '0/0' : formatLsn(postgres.fork.lsn);
  const timeline = { term, timeline: postgres.timeline, parent: postgres.fork?.parent ?? null, forkLsn };
  return act(
    [
      {
        do: 'take-next-term',
        lease,
        renewal,
        timeline,
        candidates: candidatesToName(situation),
        because: ['standbys-cut'],
      },
    ],
    { code: 'standbys-cut', text: `standbys have cut off term ${lease.value.term}: going on in term ${term}` },
    0,
  );
}

function withoutData(situation: Situation): Verdict {
  if (situation.view.store.cluster !== null) {
    return refuse({
      what: 'be primary',
      blockedBy: 'no-data',
      text: 'this node holds the lease but has no data; a new cluster is never made over an existing one',
    });
  }
  const backOff = retryAfterMs(situation.view, 'initialise');
  if (backOff > 0) return wait({ code: 'initialise-failed', text: lastError(situation, 'initialise') }, backOff);
  return act(
    [{ do: 'initialise', because: ['cluster-new'] }],
    { code: 'cluster-new', text: 'a new cluster is made here' },
    50,
  );
}

/**
 * A lease that was given back is taken without one, since a server that is only stopped goes on where it was. Left to
 * choose, PostgreSQL would take a number that whoever gave it back may have begun already.
 */
function reserveTimeline(situation: Situation, lease: Held): Verdict {
  const { postgres } = situation.view;
  if (postgres.state !== 'standby') return nothing(50);
  const forkLsn = formatLsn(postgres.replayedLsn);
  const timeline = nextTimeline(situation, lease.value.term, postgres.timeline, forkLsn);
  return act(
    [{ do: 'record-timeline', timeline, lease, because: ['timeline-new'] }],
    { code: 'timeline-new', text: `reserves timeline ${timeline.timeline} before the promotion` },
    0,
  );
}

function promote(situation: Situation, lease: Held): Verdict {
  const reserved = ownTimeline(situation);
  if (reserved === null) return reserveTimeline(situation, lease);
  const backOff = retryAfterMs(situation.view, 'promote');
  if (backOff > 0) return wait({ code: 'promote-failed', text: lastError(situation, 'promote') }, backOff);
  const operation = situation.view.store.operation?.value;
  const withinMs = operation?.phase === 'handed-over' ? operation.promoteTimeoutMs : promoteWithinMs;
  return act(
    [
      {
        do: 'promote',
        withinMs,
        timeline: reserved.timeline,
        configure: mustConfigure(situation),
        archives: receivedToArchive(situation),
        because: ['holds-lease'],
      },
    ],
    { code: 'holds-lease', text: 'this standby holds the lease' },
    50,
  );
}

function startAgain(situation: Situation, lease: Held): Verdict {
  const { view } = situation;
  if (view.postgres.state !== 'stopped') return nothing();
  const known = view.store.cluster?.value.systemIdentifier;
  if (known !== undefined && known !== view.postgres.systemIdentifier) {
    return refuse({
      what: 'be primary',
      blockedBy: 'other-cluster',
      text: `the data directory belongs to system ${view.postgres.systemIdentifier}, this cluster is ${known}; it is never touched`,
    });
  }
  if (shouldHandOver(situation))
    return handOver(situation, lease, 'primary-useless', situation.memory.failingProbes?.text ?? '');
  const tooOften = whyNotAgain(situation);
  if (tooOften !== null) return handOver(situation, lease, 'crashes', tooOften);
  const backOff = retryAfterMs(view, 'start');
  if (backOff > 0) return afterFailedStart(situation, lease, backOff);
  const pauseMs = pauseBeforeStartMs(situation);
  if (pauseMs > 0) return wait({ code: 'crashes', text: 'PostgreSQL went down again and again' }, pauseMs);
  if (view.postgres.lastRole === 'standby') {
    // Started as primary it would go on on the old timeline in a new term; a promotion opens one of its own. It was
    // elected with the WAL that it has: whoever it followed could only bring what the cluster has left behind.
    return act(
      [{ do: 'start', as: 'standby', from: null, because: ['holds-lease', 'was-standby'] }],
      { code: 'was-standby', text: 'starts as it was, to be promoted then' },
      50,
    );
  }
  return (
    settleFirst(situation) ??
    act(
      [{ do: 'start', as: 'primary', because: ['holds-lease'] }],
      { code: 'holds-lease', text: 'the holder starts its PostgreSQL' },
      50,
    )
  );
}

/** A server is started with whom the record names: that must not be changed by a write of a process that died. */
function settleFirst(situation: Situation): Verdict | null {
  const settling = owedSettling(situation);
  if (settling === null) return null;
  const reason = { code: settling.because[0] ?? '', text: 'who acknowledges is settled before PostgreSQL starts' };
  return mayRetry(situation.memory, settling.do, situation.nowMs) ? act([settling], reason, 0) : wait(reason, 100);
}

/** A node that has cut itself off for a higher term starts nothing writable in this one (model B). */
function cutOff(situation: Situation, lease: Held): Verdict {
  const term = cutTerm(situation.view.promise);
  return refuse({
    what: 'be primary',
    blockedBy: 'cut-off',
    text: `this node has cut itself off for term ${term}; its lease is of term ${lease.value.term}`,
  });
}

/** A server that does not start is no reason to keep the lease from those that run. */
function afterFailedStart(situation: Situation, lease: Held, backOff: number): Verdict {
  const text = lastError(situation, 'start');
  // An election that can't be won would only cost time.
  if (!hasSuccessors(situation)) return wait({ code: 'start-failed', text }, backOff);
  return handOver(situation, lease, 'start-failed', text);
}

/** PostgreSQL is proven gone: whoever is elected may begin at once. */
function handOver({ view }: Situation, lease: Held, code: string, text: string): Verdict {
  const { renewal } = view.store;
  if (renewal === null) return nothing(50);
  return act([{ do: 'release-lease', lease, renewal, to: null, because: [code] }], { code, text }, 0);
}

function lastError(situation: Situation, kind: 'initialise' | 'promote' | 'start'): string {
  return situation.view.lastJobs.get(kind)?.error ?? `${kind} failed`;
}
