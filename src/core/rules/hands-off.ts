/**
 * What a database node does while the automation's hands are off: it stays safe and does nothing else.
 *
 * Demotion, renewal and promises come before this rule and go on: they are why one primary is one. A switchover that is
 * under way when the record appears is carried to its end. Everything else waits: no start, no promotion, no election, no
 * clone, no restart, no change of settings, databases or synchronous standbys, save back to what the durability record
 * demands. What outlived its postmaster is still ended, and slots are still moved forward, since withheld WAL fills disks.
 */
import type { Action } from '../actions.ts';
import type { ClusterView } from '../cluster-view.ts';
import { type HandsOffWatch, handsOffLeftMs } from '../hands-off.ts';
import type { DatabaseMemory } from '../memory.ts';
import { act, isMoving, type Situation, type Verdict, wait } from '../situation.ts';

/** How often the holder writes down what is left, in ms. */
const countEveryMs = 60_000;
/** Others do so only when the holder does not. */
const othersCountAfterMs = 75_000;

/** Begun anew with each write of the record. */
export function watchHandsOff(view: ClusterView, memory: DatabaseMemory): HandsOffWatch | null {
  const stored = view.store.handsOff;
  if (stored === null) return null;
  return memory.handsOff?.revision === stored.revision
    ? memory.handsOff
    : { revision: stored.revision, sinceMs: view.nowMs };
}

export function areHandsOff(situation: Situation): boolean {
  return situation.view.store.handsOff !== null && !isMoving(situation);
}

/** `null`: hands are on. */
export function decideHandsOff(situation: Situation): Verdict | null {
  const { view, memory, nowMs, lease } = situation;
  const stored = view.store.handsOff;
  if (stored === null || !areHandsOff(situation)) return null;
  const sinceMs = memory.handsOff?.sinceMs ?? nowMs;
  const leftMs = handsOffLeftMs(stored.value, sinceMs, nowMs);
  if (leftMs === 0) {
    const end: Action = { do: 'end-hands-off', handsOff: stored, because: ['time-over'] };
    return act([end], { code: 'hands-off', text: 'the time without the automation is over' });
  }
  const text = `hands are off for another ${Math.ceil(leftMs / 1_000)} s, as ${stored.value.by} asked`;
  const due = lease.is === 'mine' ? countEveryMs : othersCountAfterMs;
  if (nowMs - sinceMs < due) return wait({ code: 'hands-off', text }, Math.min(1_000, leftMs));
  return act([{ do: 'count-hands-off', handsOff: stored, leftMs, because: ['minute-over'] }], {
    code: 'hands-off',
    text,
  });
}
