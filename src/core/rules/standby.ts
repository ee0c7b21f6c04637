/**
 * What a node without the lease does with its PostgreSQL: clone, start, follow, and nothing that could be writable.
 *
 * Invariants: a data directory of another system is never touched; a server starts or follows only towards a holder
 * that says itself that it is writable in the lease's term (or, after a while, as a mere follower that waits for it).
 * How a node comes back that has diverged stands in rejoin.ts.
 */

import { unreachable } from '../exhausted-union.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { cutTerm } from '../promise.ts';
import { act, isWritable, nothing, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { decideArchive } from './archive-fallback.ts';
import { endHung, hungStandbyAfterMs } from './hung.ts';
import { retryAfterMs } from './job-retry.ts';
import { decideRescue, decideReturn } from './rejoin.ts';

/** After this long without a writable holder, a stopped standby starts all the same, so that reads are served. */
const startAnywayAfterMs = 15_000;

/** How long followers hold back at the most after a handover, in ms; the end of the operation releases them. */
const settleMs = 2_000;

export function decideAsStandby(situation: Situation, holder: NodeName, term: number): Verdict {
  const { view } = situation;
  const writable = isWritable(situation, holder, term);
  const { postgres } = view;
  if (isSettling(situation) && (postgres.state === 'stopped' || postgres.state === 'standby')) {
    return wait({ code: 'handover-settling', text: `${holder} takes over; its poolers come first` }, 100);
  }
  switch (postgres.state) {
    case 'primary':
      return wait({ code: 'demoting', text: 'this node must not be primary' }, 50);
    case 'unknown':
    case 'stopping':
      return endHung(situation, hungStandbyAfterMs) ?? nothing(100);
    case 'starting':
    case 'orphaned':
      return wait({ code: `postgres-${postgres.state}`, text: `PostgreSQL is ${postgres.state}` }, 100);
    case 'missing-binaries':
    case 'foreign':
      return refuse({ what: 'be a standby', blockedBy: postgres.state, text: postgres.because }, 5_000);
    case 'absent':
    case 'unfinished':
      return clone(situation, holder, writable, 'no-data', 'the data directory is empty');
    case 'stopped':
      return startStandby(situation, holder, term, writable);
    case 'standby':
      return keepStandby(situation, holder, term, writable);
    default:
      return unreachable(postgres);
  }
}

/** The poolers' first logins come before the followers, which would take the new primary's time. */
function isSettling(situation: Situation): boolean {
  const operation = situation.view.store.operation?.value;
  const marks = situation.memory.operation;
  if (operation?.phase !== 'handed-over' || marks === null) return false;
  return situation.nowMs - marks.phaseSinceMs < settleMs + operation.paceMs;
}

function clone(situation: Situation, holder: NodeName, writable: boolean, code: string, text: string): Verdict {
  const cluster = situation.view.store.cluster;
  if (cluster === null || !writable) {
    return wait(
      { code: 'holder-not-writable', text: `waiting for ${holder} to be writable before cloning (${text})` },
      500,
    );
  }
  const backOff = retryAfterMs(situation.view, 'clone');
  if (backOff > 0)
    return wait({ code: 'clone-failed', text: situation.view.lastJobs.get('clone')?.error ?? 'clone failed' }, backOff);
  return act(
    [{ do: 'clone', from: holder, systemIdentifier: cluster.value.systemIdentifier, diverged: false, because: [code] }],
    {
      code,
      text: `${text}: cloning from ${holder}`,
    },
  );
}

function startStandby(situation: Situation, holder: NodeName, term: number, writable: boolean): Verdict {
  const { view, memory, nowMs } = situation;
  if (view.postgres.state !== 'stopped') return nothing();
  const known = view.store.cluster?.value.systemIdentifier;
  if (known !== undefined && known !== view.postgres.systemIdentifier) {
    return refuse({
      what: 'be a standby',
      blockedBy: 'other-cluster',
      text: `the data directory belongs to system ${view.postgres.systemIdentifier}, this cluster is ${known}; it is never touched`,
    });
  }
  if (view.requests.reinit)
    return clone(situation, holder, writable, 'reinit-requested', 'the operator asked for a new clone');
  // Cut off for a higher term, its WAL may be what an election waits for.
  const mayChange = writable && cutTerm(view.promise) <= term;
  const back = mayChange ? decideReturn(situation, view.postgres, holder, term) : null;
  if (back !== null) return back;
  const waited = nowMs - (memory.waitingForHolderSinceMs ?? nowMs);
  if (!writable && waited < startAnywayAfterMs) {
    return wait({ code: 'holder-not-writable', text: `waiting for ${holder} to be writable` }, 200);
  }
  const backOff = retryAfterMs(view, 'start');
  if (backOff > 0)
    return wait({ code: 'start-failed', text: view.lastJobs.get('start')?.error ?? 'start failed' }, backOff);
  const from = cutTerm(view.promise) > term ? null : holder;
  return act([{ do: 'start', as: 'standby', from, because: ['lease-held-by-other'] }], {
    code: 'lease-held-by-other',
    text: `${holder} is primary; starting as its standby`,
  });
}

/**
 * A standby whose settings of these are lower than its primary's replays no more until it is started with higher ones
 * (documentation 26.4.3); its files have them already. What somebody paused by hand is his.
 */
function awaitsRestart(postgres: Extract<LocalPostgres, { state: 'standby' }>): boolean {
  const raised = postgres.pendingRestart.some(
    ({ name, current, wanted }) => Object.hasOwn(postgres.standbyMinimums, name) && Number(wanted) > Number(current),
  );
  return postgres.replayPaused && raised;
}

function keepStandby(situation: Situation, holder: NodeName, term: number, writable: boolean): Verdict {
  const { view } = situation;
  const { postgres } = view;
  if (postgres.state !== 'standby') return nothing();
  if (cutTerm(view.promise) > term) {
    const text = `cut off for term ${cutTerm(view.promise)}, while ${holder} holds term ${term}`;
    return refuse({ what: 'follow', blockedBy: 'cut-off', text }, 200);
  }
  const byArchive = view.requests.reinit ? null : decideArchive(situation, postgres, holder, term, writable);
  if (byArchive !== null) return byArchive;
  if (view.requests.reinit || postgres.cannotStream !== null) return cloneAgain(situation, holder, term, writable);
  if (view.requests.restart && retryAfterMs(view, 'restart') === 0) {
    return act(
      [{ do: 'restart-standby', from: holder, because: ['restart-requested'] }],
      { code: 'restart-requested', text: 'the operator asked for a restart' },
      50,
    );
  }
  if (awaitsRestart(postgres) && retryAfterMs(view, 'restart') === 0) {
    const text = 'the primary has higher settings than this server started with, and replay waits for its restart';
    const because = ['replay-awaits-restart'];
    return act([{ do: 'restart-standby', from: holder, because }], { code: 'replay-awaits-restart', text }, 50);
  }
  if (postgres.upstream !== holder && writable) {
    return act(
      [{ do: 'follow', from: holder, because: ['upstream-moved'] }],
      { code: 'upstream-moved', text: `${holder} is primary now` },
      100,
    );
  }
  const streaming = postgres.receiver === 'streaming' && postgres.upstream === holder;
  return wait({
    code: streaming ? 'lease-held-by-other' : 'not-streaming',
    text: streaming ? `streaming from ${holder}, which renews its lease` : `not streaming from ${holder} yet`,
  });
}

const cloneReasons = {
  'wal-removed': 'the WAL it needs is gone from the primary',
  diverged: 'its WAL passes the point where the primary left the old timeline',
  'reinit-requested': 'the operator asked for a new clone',
} as const;

/** The old directory is kept until the new one is healthy; one that has diverged is kept for people besides. */
function cloneAgain(situation: Situation, holder: NodeName, term: number, writable: boolean): Verdict {
  const { view } = situation;
  const { postgres } = view;
  if (postgres.state !== 'standby') return nothing();
  const code = postgres.cannotStream ?? 'reinit-requested';
  if (!writable) {
    return wait({ code: 'holder-not-writable', text: `waiting for ${holder} before this standby is cloned again` });
  }
  const rescue = code === 'diverged' ? decideRescue(situation, postgres.timeline, holder, term) : null;
  if (rescue !== null) return rescue;
  const backOff = retryAfterMs(view, 'clone');
  if (backOff > 0)
    return wait({ code: 'clone-failed', text: view.lastJobs.get('clone')?.error ?? 'clone failed' }, backOff);
  const systemIdentifier = view.store.cluster?.value.systemIdentifier ?? postgres.systemIdentifier;
  return act([{ do: 'clone', from: holder, systemIdentifier, diverged: code === 'diverged', because: [code] }], {
    code,
    text: `${cloneReasons[code]}: cloning from ${holder}`,
  });
}
