/**
 * The chores of a running server: its configuration, its slots, its databases, what others left behind in the store.
 *
 * None of these may delay a switchover: nothing is done while one moves the primary. Each chore says in
 * `unconverged` what is still owed, so that `apply` can wait for it.
 */
import type { Action } from '../actions.ts';
import { sameSet } from '../durability.ts';
import type { SlotTarget } from '../local-postgres.ts';
import { parseLsn } from '../lsn.ts';
import { mayRetry } from '../memory.ts';
import { isMoving, liveMember, otherDatabaseNodes, type Situation } from '../situation.ts';
import { findNode, isDelayed, slotName } from '../spec.ts';
import { archiveSlotTargets } from './archiving.ts';
import { decideCredentials } from './credential-chore.ts';
import { areHandsOff } from './hands-off.ts';
import { retryAfterMs } from './job-retry.ts';
import { speaks } from './member-status.ts';
import { decideSyncStandbys, owedSettling, startingSet } from './sync-standbys.ts';

/** How often idle slots are moved forward on standbys, and checked everywhere, in ms. */
const slotsEveryMs = 10_000;

export interface Upkeep {
  readonly actions: readonly Action[];
  readonly unconverged: readonly string[];
}

export function decideUpkeep(situation: Situation): Upkeep {
  const { view, spec } = situation;
  const running = view.postgres.state === 'primary' || view.postgres.state === 'standby';
  if (spec === null || !running) return { actions: [], unconverged: [] };
  // What people undo by hand they must not find done again.
  if (areHandsOff(situation)) return both(slots(situation), decideSyncStandbys(situation));
  const chores = [
    configuration(situation),
    slots(situation),
    retiredSessions(situation),
    kept(situation),
    databases(situation),
    decideSyncStandbys(situation),
    forgotten(situation),
    // Last: a job that can't be started now drops what stands behind it.
    decideCredentials(situation),
  ];
  const quiet = isMoving(situation) || view.job !== null;
  return {
    actions: quiet ? [] : chores.flatMap((chore) => chore.actions),
    unconverged: chores.flatMap((chore) => chore.unconverged),
  };
}

function both(a: Upkeep, b: Upkeep): Upkeep {
  return { actions: [...a.actions, ...b.actions], unconverged: [...a.unconverged, ...b.unconverged] };
}

const done: Upkeep = { actions: [], unconverged: [] };

function configuration(situation: Situation): Upkeep {
  const { memory, spec, specRevision, nowMs, view, self } = situation;
  if (spec === null) return done;
  const isPrimary = view.postgres.state === 'primary';
  const demanded = startingSet(self, spec, view.store.durability?.value ?? null);
  // On a primary, only rules/sync-standbys.ts changes whom it waits for.
  const sync = (view.postgres.state === 'primary' ? view.postgres.syncSet : null) ?? demanded;
  const isReady = isPrimary || (memory.configuredSync !== null && sameSet(memory.configuredSync, sync));
  if (memory.configuredRevision === specRevision && isReady) return done;
  const action: Action = { do: 'configure', spec, specRevision, sync, because: ['spec-changed'] };
  const isSettled = !isPrimary || (situation.lease.is === 'mine' && owedSettling(situation) === null);
  const mayAct = isSettled && mayRetry(memory, 'configure', nowMs);
  return { actions: mayAct ? [action] : [], unconverged: ['configuration'] };
}

/** Every database node keeps a slot for every other, so that a promoted standby has them from its first instant; standbys one for the archive. */
export function slotTargets(situation: Situation): readonly SlotTarget[] {
  const isPrimary = situation.view.postgres.state === 'primary';
  const ofNodes = otherDatabaseNodes(situation).map((node) => {
    const member = isPrimary ? null : liveMember(situation, node.name);
    // A delayed one has what it is to replay on its own disk: hours of WAL would be kept for it twice.
    const has = isDelayed(node) ? 'receivedLsn' : 'replayedLsn';
    const position = member?.postgres.state === 'standby' ? member.postgres[has] : null;
    return { name: slotName(node.name), advanceTo: position === null ? null : (parseLsn(position) ?? null) };
  });
  return [...ofNodes, ...archiveSlotTargets(situation)];
}

function slots(situation: Situation): Upkeep {
  const { memory, nowMs, view } = situation;
  const targets = slotTargets(situation);
  const key = slotsKey(targets, view.postgres.state);
  const due = memory.slotsKey !== key || nowMs - (memory.slotsDoneAtMs ?? 0) >= slotsEveryMs;
  if (!due) return done;
  const owed = memory.slotsKey === key ? [] : ['slots'];
  const action: Action = {
    do: 'apply-slots',
    targets,
    because: [memory.slotsKey === key ? 'slots-aged' : 'members-changed'],
  };
  return { actions: mayRetry(memory, 'apply-slots', nowMs) ? [action] : [], unconverged: owed };
}

export function slotsKey(targets: readonly SlotTarget[], state: string): string {
  return [state, ...targets.map((target) => target.name)].join(' ');
}

/** The primary closes a login; its sessions on standbys only their own agents can end. */
function retiredSessions({ view, memory, nowMs }: Situation): Upkeep {
  const { postgres } = view;
  const isRunning = postgres.state === 'primary' || postgres.state === 'standby';
  const isDue = isRunning && postgres.retiredSessions > 0 && mayRetry(memory, 'end-retired-sessions', nowMs);
  return { actions: isDue ? [{ do: 'end-retired-sessions', because: ['login-closed'] }] : [], unconverged: [] };
}

/** A directory kept from before a clone goes when the new one streams. */
function kept(situation: Situation): Upkeep {
  const { view, memory, nowMs } = situation;
  const { postgres } = view;
  const healthy = postgres.state === 'primary' || (postgres.state === 'standby' && postgres.receiver === 'streaming');
  if (memory.keptDiscarded || !healthy || !mayRetry(memory, 'discard-kept', nowMs)) return done;
  return { actions: [{ do: 'discard-kept', because: ['healthy-again'] }], unconverged: [] };
}

function databases(situation: Situation): Upkeep {
  const { view, memory, spec, specRevision } = situation;
  if (spec === null || view.postgres.state !== 'primary' || situation.lease.is !== 'mine') return done;
  if (memory.databasesRevision === specRevision) return done;
  const ready = memory.configuredRevision === specRevision && retryAfterMs(view, 'databases') === 0;
  const action: Action = { do: 'apply-databases', spec, specRevision, because: ['spec-changed'] };
  return { actions: ready ? [action] : [], unconverged: ['databases'] };
}

/** The holder removes from the store what nodes wrote that are no longer in the spec. */
function forgotten(situation: Situation): Upkeep {
  const { view, spec } = situation;
  if (spec === null || situation.lease.is !== 'mine') return done;
  const members = [...view.store.members.keys()]
    .filter((name) => !speaks(findNode(spec, name)))
    .map((node): Action => ({ do: 'forget-node', node, role: 'member', because: ['not-in-spec'] }));
  const poolers = [...view.store.poolers.keys()]
    .filter((name) => findNode(spec, name)?.role !== 'app')
    .map((node): Action => ({ do: 'forget-node', node, role: 'pooler', because: ['not-in-spec'] }));
  return { actions: [...members, ...poolers], unconverged: [] };
}
