/**
 * The one decision of a database node: (view, memory) -> actions in order, reasons, refusals, when to look again.
 *
 * | order | rule | stands in |
 * | 1 | a server that may be writable without the right to be is stopped, whatever else is under way | rules/lease.ts |
 * | 2 | the lease is renewed, as proof of a completed loop | rules/lease.ts |
 * | 3 | a long job under way is left alone | here |
 * | 4 | what outlived its postmaster is ended | rules/hung.ts |
 * | 5 | nothing more while the automation's hands are off | rules/hands-off.ts |
 * | 6 | the lease is taken where nobody has it | rules/lease.ts |
 * | 7 | holder: switchover, start, promote; others: handover, election, clone, start, follow | rules/primary.ts, useless.ts, standby.ts, switchover.ts, failover.ts, election.ts |
 * | 8 | chores, then the node's status | rules/upkeep.ts, member-status.ts |
 *
 * Pure: time comes with the view. The simulator, the transcripts and production call this function.
 */
import type { Action } from './actions.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Decision } from './decision.ts';
import { unreachable } from './exhausted-union.ts';
import { renewEveryMs } from './lease.ts';
import type { DatabaseMemory } from './memory.ts';
import { watchArchive } from './rules/archive-fallback.ts';
import { watchCrashes } from './rules/crashes.ts';
import { watchElected } from './rules/election.ts';
import { decideFailover } from './rules/failover.ts';
import { decideHandsOff, watchHandsOff } from './rules/hands-off.ts';
import { endOrphans } from './rules/hung.ts';
import { decideDemotion, decidePromises, decideRenewal, decideTaking, rightEndsAtMs } from './rules/lease.ts';
import { freeInMs, watchLease } from './rules/lease-watch.ts';
import { dueStatus, rememberMembers } from './rules/member-status.ts';
import { observeOperation } from './rules/operation-marks.ts';
import { decideAsHolder } from './rules/primary.ts';
import { decideAsStandby } from './rules/standby.ts';
import { decideAsTarget } from './rules/switchover.ts';
import { watchStandbys } from './rules/sync-standbys.ts';
import { decideUpkeep } from './rules/upkeep.ts';
import { watchEnding } from './rules/useless.ts';
import { act, assess, isWritable, nothing, refuse, type Situation, type Verdict, wait } from './situation.ts';
import { countProbe } from './write-probe.ts';

const restIntervalMs = 1_000;

export function decide(view: ClusterView, before: DatabaseMemory): Decision<DatabaseMemory> {
  const memory = observe(view, before);
  const situation = assess(view, memory);
  const demotion = decideDemotion(situation);
  const renewal = demotion === null ? [...decideRenewal(situation), ...decidePromises(situation)] : [];
  const verdict = afterRenewal(renewal, demotion ?? decideRole(situation));
  const upkeep = decideUpkeep(situation);
  const isBusy = isStoreSilentTo(situation);
  const chores = isBusy || verdict.actions.length > 0 ? [] : upkeep.actions;
  // A look at the lease is followed by another decision at once, which knows more.
  const isLooking = verdict.actions.some((action) => action.do === 'look-at-lease');
  const status =
    isBusy || isLooking ? null : dueStatus(situation, { unconverged: upkeep.unconverged, refused: verdict.refused });
  const publish: Action[] = status === null ? [] : [{ do: 'publish-status', ...status, because: ['status-due'] }];
  return {
    // A status that says "writable" is what others wait for: it goes before the chores.
    actions: [...renewal, ...verdict.actions, ...publish, ...chores],
    reasons: verdict.reasons,
    refused: verdict.refused,
    memory,
    lookAgainInMs: Math.max(0, Math.min(verdict.lookAgainInMs, untilLease(situation), restIntervalMs)),
  };
}

/** Folds what this view shows into the memory, before anything is decided. */
function observe(view: ClusterView, memory: DatabaseMemory): DatabaseMemory {
  const running = view.postgres.state === 'primary' || view.postgres.state === 'standby';
  const next = remember(view, {
    ...memory,
    memberSeen: rememberMembers(view, memory),
    operation: observeOperation(view, memory),
    handsOff: watchHandsOff(view, memory),
  });
  const situation = assess(view, next);
  const { lease } = situation;
  const waits =
    lease.is === 'other' &&
    view.postgres.state === 'stopped' &&
    !isWritable(situation, lease.holder, lease.lease.value.term);
  return {
    ...next,
    // What a server that is gone had been given must be given again.
    configuredRevision: running ? next.configuredRevision : null,
    configuredSync: running ? next.configuredSync : null,
    databasesRevision: view.postgres.state === 'primary' ? next.databasesRevision : null,
    unansweringSinceMs: isUnanswering(view) ? (memory.unansweringSinceMs ?? view.nowMs) : null,
    archiveReading: watchArchive(view, memory.archiveReading),
    waitingForHolderSinceMs: waits ? (memory.waitingForHolderSinceMs ?? view.nowMs) : null,
  };
}

function isUnanswering({ postgres, job }: ClusterView): boolean {
  return postgres.state === 'unknown' || (postgres.state === 'stopping' && job === null);
}

/** What is measured on this agent's own clock: how long the lease stands still, who was elected, who streams. */
function remember(view: ClusterView, memory: DatabaseMemory): DatabaseMemory {
  const watched = {
    ...memory,
    leaseWatch: watchLease(assess(view, memory)),
    failingProbes: countProbe(memory.failingProbes, view.probe),
    endingSinceMs: watchEnding(assess(view, memory)),
    crashes: watchCrashes(view, memory),
  };
  const situation = assess(view, watched);
  return { ...watched, ...watchElected(situation), ...watchStandbys(situation) };
}

/**
 * A renewal of this holder was not answered: then it asks the store for nothing else, since each question may take as long
 * as that one, while its deadline comes nearer.
 */
function isStoreSilentTo({ lease, memory }: Situation): boolean {
  return lease.is === 'mine' && memory.failures.has('renew-lease');
}

/**
 * Until the lease has to be renewed, the right to it ends, or it may be anybody's: each ms of an election is a ms without
 * writes.
 */
function untilLease(situation: Situation): number {
  if (situation.lease.is !== 'mine') return freeInMs(situation) || restIntervalMs;
  const { memory, nowMs, view } = situation;
  const last = Math.max(memory.lastRenewalTryMs ?? 0, memory.renewal?.sentAtMs ?? 0);
  const renewalInMs = Math.max(10, last + renewEveryMs(situation.lease.lease.value.ttlMs) - nowMs);
  const endInMs = view.postgres.state === 'primary' ? rightEndsAtMs(situation, situation.lease) - nowMs : 0;
  return endInMs > 0 ? Math.min(renewalInMs, endInMs) : renewalInMs;
}

/** What compares the renewal would only fail behind a new one in the same pass: it is decided again after it. */
function afterRenewal(renewal: readonly Action[], verdict: Verdict): Verdict {
  const compares = ({ do: what }: Action): boolean => what === 'release-lease' || what === 'take-next-term';
  if (!renewal.some((action) => action.do === 'renew-lease') || !verdict.actions.some(compares)) return verdict;
  return { ...verdict, actions: [], lookAgainInMs: 0 };
}

function decideRole(situation: Situation): Verdict {
  const { view, spec, me, lease } = situation;
  if (view.job !== null) {
    return wait({ code: `job-${view.job.kind}`, text: `${view.job.kind} is under way` }, 200);
  }
  if (view.postgres.state === 'orphaned') return endOrphans();
  const handsOff = decideHandsOff(situation);
  if (handsOff !== null) return handsOff;
  if (spec === null)
    return wait({ code: 'no-spec', text: 'no spec in the store yet: `understudy apply FILE` stores one' });
  if (me === null || me.role !== 'database') return leave(situation);
  const unreadable = view.store.unreadable.find((key) => isDecisive(key));
  if (unreadable !== undefined) {
    return refuse({ what: 'act', blockedBy: 'unreadable', text: `the store's value of ${unreadable} can't be read` });
  }
  switch (lease.is) {
    case 'unread':
      return wait({ code: 'lease-unread', text: 'the store has not been read' }, 200);
    case 'missing':
      return decideTaking(situation) ?? nothing();
    case 'released':
      return (
        decideTaking(situation) ??
        decideFailover(situation, lease.lease) ??
        wait({ code: 'lease-released', text: `the lease waits for ${lease.to ?? 'an election'}` }, 200)
      );
    case 'mine':
      return decideAsHolder(situation, lease.lease);
    case 'other': {
      const target = decideAsTarget(situation, lease.lease);
      if (target !== null && target.actions.length > 0) return target;
      // A holder that died in the middle of a switchover must not keep its target from the election.
      const failover = decideFailover(situation, lease.lease);
      return failover ?? target ?? decideAsStandby(situation, lease.holder, lease.lease.value.term);
    }
    default:
      return unreachable(lease);
  }
}

/** Taken for missing, one of these would let a node begin anew what exists. */
function isDecisive(key: string): boolean {
  return (
    ['cluster', 'operation', 'durability', 'renewal', 'hands-off'].includes(key) || /^(timelines|ballots)\//.test(key)
  );
}

/** A witness has nothing to do here. A node that the spec no longer names stops its standby and keeps its data. */
function leave(situation: Situation): Verdict {
  if (situation.lease.is === 'mine') {
    return refuse({
      what: 'leave',
      blockedBy: 'holds-lease',
      text: 'the spec no longer names this node, but it is the primary',
    });
  }
  if (situation.me?.role === 'witness') {
    return wait({ code: 'witness', text: 'a witness: it votes in the store and runs no PostgreSQL' });
  }
  if (situation.view.postgres.state !== 'standby') {
    return wait({ code: 'not-in-spec', text: 'the spec does not name this node as a database node' }, 1_000);
  }
  return act([{ do: 'stop', awaitStandby: null, patienceMs: 5_000, drain: null, because: ['not-in-spec'] }], {
    code: 'not-in-spec',
    text: 'the spec no longer names this node: its standby is stopped, its data stay',
  });
}
