/**
 * The phases of a switchover as each side plays them (PROTOCOLS, "Switchover"; the table stands in core/operation.ts).
 *
 * Invariants: nothing is handed over before it is verified; the old holder starts PostgreSQL again only after its
 * compare-and-set to `undone`; the target takes the lease only when it has replayed past the shutdown checkpoint; a
 * target that can't become writable releases to the old primary by name, and only if it never left the old timeline.
 * The preflight is not here (preflight.ts), nor when and how the old holder takes it back (switchover-undo.ts).
 */
import type { Action, DirectDrain } from '../actions.ts';
import type { Stored } from '../cluster-view.ts';
import { unreachable } from '../exhausted-union.ts';
import { formatLsn, parseLsn } from '../lsn.ts';
import { isActive, type Operation } from '../operation.ts';
import { act, refuse, type Situation, type Verdict, wait } from '../situation.ts';
import { receivedToArchive } from './archiving.ts';
import { candidatesToName } from './candidates.ts';
import { nextTimeline } from './election.ts';
import { undrained, unresumed } from './operation-marks.ts';
import { drawReceipt } from './receipt.ts';
import { describeUndrained, type Held, localTimeline, undo, whyUndo } from './switchover-undo.ts';
import { mustConfigure } from './sync-standbys.ts';

/** How long the new primary waits for the poolers' reports before it writes the receipt without them. */
const receiptPatienceMs = 3_000;

/** How long followers and chores hold back after the poolers have resumed, so that who waited logs in and commits. */
const firstCommitsMs = 100;

/** How soon to look again while something is expected within milliseconds and nothing will wake the loop. */
const soonMs = 3;

export function activeOperation(situation: Situation): Stored<Operation> | null {
  const stored = situation.view.store.operation;
  return stored !== null && isActive(stored.value) ? stored : null;
}

/** The holder's part: drain, stop, publish; or undo. `null`: no active operation of its own. */
export function decideAsOldPrimary(situation: Situation, lease: Held): Verdict | null {
  const stored = activeOperation(situation);
  if (stored === null) return null;
  const operation = stored.value;
  const undoing = whyUndo(situation, operation);
  if (undoing !== null) return undo(situation, stored, lease, undoing.reason, undoing.detail);
  if (operation.phase === 'stopped') {
    return wait(
      { code: 'awaiting-target', text: `stopped at ${operation.shutdownLsn}; ${operation.to} is to take over` },
      100,
    );
  }
  return stopWhenDrained(situation, stored, lease);
}

function stopWhenDrained(situation: Situation, stored: Stored<Operation>, lease: Held): Verdict {
  const { view, memory, nowMs } = situation;
  const operation = stored.value;
  const { postgres } = view;
  if (postgres.state === 'stopped') return publishOrUndo(situation, stored, lease);
  if (postgres.state !== 'primary') {
    return wait({ code: 'awaiting-postgres', text: `PostgreSQL is ${postgres.state}` }, 20);
  }
  const missing = undrained(view, operation);
  if (missing.length > 0) return awaitDrain(situation, operation, missing);
  const drainedAt = memory.operation?.drainedAtMs ?? nowMs;
  const pause = drainedAt + operation.paceMs - nowMs;
  if (pause > 0) return wait({ code: 'paced', text: 'waiting before the stop, as asked' }, pause);
  const stop: Action = {
    do: 'stop',
    awaitStandby: operation.to,
    patienceMs: operation.stopTimeoutMs,
    drain: directDrain(situation, operation),
    because: ['poolers-drained'],
  };
  return act([stop], { code: 'poolers-drained', text: `all of ${operation.poolers.length} poolers are drained` }, 50);
}

/** PostgreSQL is writable while direct clients finish: never past the lease as it stands, whatever comes of renewals. */
function directDrain(situation: Situation, operation: Operation): DirectDrain {
  const deadline = situation.lease.is === 'mine' ? situation.lease.deadlineMs : null;
  const left = deadline === null ? 0 : deadline - situation.nowMs;
  const withinMs = Math.max(0, Math.min(operation.drainTimeoutMs, left));
  const { forceAfterMs } = operation;
  return { withinMs, endAfterMs: forceAfterMs === null ? null : Math.min(forceAfterMs, Math.max(0, withinMs - 500)) };
}

function awaitDrain(situation: Situation, operation: Operation, missing: readonly string[]): Verdict {
  const { view, memory, nowMs } = situation;
  const elapsed = nowMs - (memory.operation?.phaseSinceMs ?? nowMs);
  const text = describeUndrained(situation, missing);
  if (operation.forceAfterMs !== null && elapsed >= operation.forceAfterMs) {
    const pids = missing.flatMap(
      (node) => view.reports.get(node)?.report.blockers.map((blocker) => blocker.serverPid) ?? [],
    );
    if (pids.length > 0) {
      return act(
        [{ do: 'end-blockers', pids, because: ['force-after-elapsed'] }],
        { code: 'force-after-elapsed', text },
        100,
      );
    }
  }
  return wait({ code: 'draining', text }, 50);
}

function publishOrUndo(situation: Situation, stored: Stored<Operation>, lease: Held): Verdict {
  const { view, memory } = situation;
  const { postgres } = view;
  if (postgres.state !== 'stopped') return wait({ code: 'awaiting-postgres', text: `PostgreSQL is ${postgres.state}` });
  const stop = view.lastJobs.get('stop');
  const since = memory.operation?.phaseSinceMs ?? situation.nowMs;
  const stoppedByUs = stop !== undefined && stop.outcome === 'done' && stop.startedAtMs >= since;
  if (postgres.shutdown !== 'clean' || !stoppedByUs) {
    return undo(
      situation,
      stored,
      lease,
      'primary-failed',
      'PostgreSQL ended by itself or without its shutdown checkpoint',
    );
  }
  const lsn = formatLsn(postgres.checkpointLsn);
  const publish: Action = {
    do: 'publish-stopped',
    operation: stored,
    lease,
    shutdownLsn: lsn,
    timeline: postgres.timeline,
    timings: [
      ...stored.value.timings,
      ...(memory.operation?.timings ?? []),
      { phase: 'stop', ms: Math.round((stop.finishedAtMs - stop.startedAtMs) * 10) / 10 },
    ],
    because: ['stopped-cleanly'],
  };
  return act([publish], { code: 'stopped-cleanly', text: `shut down at ${lsn}, every process gone` }, 0);
}

/** The target's part: take the lease once it has replayed past the shutdown checkpoint. `null`: not the target now. */
export function decideAsTarget(situation: Situation, lease: Held): Verdict | null {
  const stored = activeOperation(situation);
  if (stored === null || stored.value.to !== situation.self) return null;
  const operation = stored.value;
  if (operation.phase === 'pausing')
    return wait({ code: 'target-of-switchover', text: `${operation.from} is pausing its writers` });
  if (operation.phase !== 'stopped') return null;
  if (lease.value.holder !== operation.from || lease.value.term !== operation.term) {
    return refuse({
      what: 'take over',
      blockedBy: 'lease-moved',
      text: 'the lease is not the one the operation began with',
    });
  }
  const { postgres } = situation.view;
  const shutdown = parseLsn(operation.shutdownLsn);
  if (postgres.state !== 'standby' || shutdown === undefined || postgres.timeline !== operation.timeline) {
    return refuse(
      { what: 'take over', blockedBy: 'not-a-standby', text: `the local PostgreSQL is ${postgres.state}` },
      50,
    );
  }
  const pause = (situation.memory.operation?.phaseSinceMs ?? situation.nowMs) + operation.paceMs - situation.nowMs;
  if (pause > 0) return wait({ code: 'paced', text: 'waiting before the handover, as asked' }, pause);
  if (postgres.replayedLsn <= shutdown) {
    return wait(
      { code: 'replay-behind', text: `replayed ${formatLsn(postgres.replayedLsn)} of ${operation.shutdownLsn}` },
      soonMs,
    );
  }
  const take: Extract<Action, { do: 'take-handover' }> = {
    do: 'take-handover',
    operation: stored,
    lease,
    timeline: nextTimeline(situation, lease.value.term + 1, postgres.timeline, operation.shutdownLsn),
    ttlMs: lease.value.ttlMs,
    candidates: candidatesToName(situation),
    because: ['replayed-past-shutdown'],
  };
  // The promotion follows an acknowledged handover at once: a second look would only cost the writers time.
  const promote: readonly Action[] =
    operation.paceMs > 0
      ? []
      : [
          {
            do: 'promote',
            withinMs: operation.promoteTimeoutMs,
            timeline: take.timeline.timeline,
            configure: mustConfigure(situation),
            archives: receivedToArchive(situation),
            because: ['holds-lease'],
          },
        ];
  const text = `replayed past ${operation.shutdownLsn}, where ${operation.from} shut down`;
  return act([take, ...promote], { code: 'replayed-past-shutdown', text }, 0);
}

/** Whose agent has something to do in this phase; the others look again in their own time, and leave the machine alone. */
export function concerns(operation: Operation, node: string): boolean {
  switch (operation.phase) {
    case 'pausing':
      return operation.from === node;
    case 'stopped':
    case 'handed-over':
      return operation.to === node;
    case 'finished':
    case 'undone':
      return true;
    default:
      return unreachable(operation);
  }
}

/** The new holder's part after the handover: promote, see the poolers resume, write the receipt; or give back. */
export function decideAsNewPrimary(situation: Situation, lease: Held): Verdict | null {
  const stored = situation.view.store.operation;
  if (stored === null || stored.value.phase !== 'handed-over') return null;
  const operation = stored.value;
  if (operation.to !== situation.self || lease.value.term !== operation.term + 1) {
    const detail = `${operation.to} lost the lease of term ${operation.term + 1} before it was finished`;
    return undo(situation, stored, lease, 'lease-lost', detail);
  }
  const { view, memory, nowMs } = situation;
  const since = memory.operation?.phaseSinceMs ?? nowMs;
  const { postgres } = view;
  if (postgres.state === 'primary') return finish(situation, stored, lease);
  const late = nowMs - since > operation.promoteTimeoutMs + operation.paceMs;
  const promotion = view.lastJobs.get('promote');
  const failed = promotion?.outcome === 'failed' && promotion.startedAtMs >= since;
  if (late || failed) return giveBack(situation, operation.timeline, operation.from, lease, promotion?.error ?? null);
  const pause = since + operation.paceMs - nowMs;
  if (pause > 0 && postgres.state === 'standby')
    return wait({ code: 'paced', text: 'waiting before the promotion, as asked' }, pause);
  return null;
}

function giveBack(
  situation: Situation,
  timeline: number,
  to: string,
  lease: Held,
  error: string | null,
): Verdict | null {
  const { postgres, store } = situation.view;
  if (postgres.state === 'stopped') {
    // It left the old timeline after all: its WAL is the cluster's now, and the old primary's is not complete.
    if (postgres.timeline !== timeline || postgres.lastRole === 'primary' || store.renewal === null) return null;
    return act(
      [{ do: 'release-lease', lease, renewal: store.renewal, to, because: ['promotion-failed'] }],
      {
        code: 'promotion-failed',
        text: `${error ?? 'not writable in time'}; ${to} has everything and takes the lease back`,
      },
      0,
    );
  }
  if (postgres.state !== 'standby' && postgres.state !== 'unknown') return null;
  return act(
    [{ do: 'stop', awaitStandby: null, patienceMs: 1_000, drain: null, because: ['promotion-failed'] }],
    { code: 'promotion-failed', text: error ?? 'not writable in time' },
    50,
  );
}

function finish(situation: Situation, stored: Stored<Operation>, lease: Held): Verdict | null {
  const { view, memory, nowMs } = situation;
  const operation = stored.value;
  const writableAt = memory.operation?.writableAtMs ?? nowMs;
  const missing = unresumed(view, operation, lease.value.term);
  if (missing.length > 0 && nowMs - writableAt < receiptPatienceMs) return null;
  const settled = (memory.operation?.resumedAtMs ?? nowMs) + firstCommitsMs - nowMs;
  if (missing.length === 0 && settled > 0) {
    return wait({ code: 'first-commits', text: 'the poolers serve; whoever waited comes first' }, settled);
  }
  const receipt = drawReceipt({
    operation,
    termAfter: lease.value.term,
    timelineBefore: operation.phase === 'handed-over' ? operation.timeline : 0,
    timelineAfter: localTimeline(situation),
    timings: memory.operation?.timings ?? [],
    reports: view.reports,
    undone: null,
  });
  const action: Action = { do: 'finish-operation', operation: stored, lease, receipt, because: ['poolers-resumed'] };
  return act(
    [action],
    { code: 'poolers-resumed', text: `${operation.poolers.length - missing.length} poolers serve ${situation.self}` },
    0,
  );
}
