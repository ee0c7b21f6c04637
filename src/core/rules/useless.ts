/**
 * A primary that lives and is of no use: nobody gets in, or nothing that is written reaches the disk. It is ended, and
 * then another takes over if one can; and if it can't even be ended, its lease runs out.
 *
 * Invariants: nothing is given away that nobody can take (successors.ts); a lease is released only after the proof that
 * PostgreSQL is gone. A process in an uninterruptible wait for its disk can't be ended, so there is no such proof then:
 * the agent stops renewing instead, the fence's SIGKILL is what the process meets when it wakes, and the others
 * wait for TTL + drift as for any holder that is silent.
 */

import { isMoving, type Situation, type Verdict } from '../situation.ts';
import { isUseless } from '../write-probe.ts';
import { end } from './hung.ts';
import { hasSuccessors } from './successors.ts';

/** How long ending a server may take, SIGKILL and all, before its holder lets the lease run out, in ms. */
const endPatienceMs = 5_000;

/** `null`: as far as is known, the primary is of use. */
export function endUseless(situation: Situation): Verdict | null {
  const { memory, view } = situation;
  const { failingProbes } = memory;
  if (view.postgres.state !== 'primary' || !isUseless(failingProbes, view.postgres.pid)) return null;
  const heldUpMs = Math.round(failingProbes.lastAtMs - failingProbes.sinceMs);
  return end('primary-useless', `${failingProbes.times} probes failed in ${heldUpMs} ms: ${failingProbes.text}`);
}

/** Was the server that this holder ended of no use, and somebody else can be? Then it is not started again here. */
export function shouldHandOver(situation: Situation): boolean {
  const { failingProbes } = situation.memory;
  return failingProbes !== null && isUseless(failingProbes, failingProbes.pid) && hasSuccessors(situation);
}

/** Since when the server is being ended; a planned stop has its own deadlines. */
export function watchEnding(situation: Situation): number | null {
  const { memory, view, nowMs } = situation;
  switch (view.postgres.state) {
    case 'unknown':
    case 'stopping':
    case 'orphaned': {
      const ends = view.job?.kind === 'stop' && !isMoving(situation);
      return memory.endingSinceMs ?? (ends ? nowMs : null);
    }
    case 'primary':
      return view.job?.kind === 'stop' ? memory.endingSinceMs : null;
    default:
      return null;
  }
}

/** A holder that can't end its own server keeps the lease from those that could be of use. */
export function letsLeaseRunOut(situation: Situation): boolean {
  const since = situation.memory.endingSinceMs;
  return since !== null && situation.nowMs - since >= endPatienceMs && hasSuccessors(situation);
}
