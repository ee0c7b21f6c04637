/**
 * A primary whose disk is as good as full: it answers, it even writes a little, and the next table that grows gets an error.
 * Where another node has room, the primary is moved there as by a switchover, which loses nothing.
 *
 * Invariants: it is moved only to a node with several times the room, so that two full disks never pass it to and fro; not
 * while hands are off, nor while it moves already, nor in the same term soon after a move that came to nothing. What happens when such a server has crashed: see crashes.ts.
 */
import { currentTerm, isMoving, type Situation } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { hasSuccessors, leastDiskBytes, roomiestSuccessor } from './successors.ts';

/** After a move that was refused or failed, in ms. */
const againAfterMs = 60_000;

/** The last time that this process asked for a move. */
export interface MoveTried {
  readonly term: number;
  readonly atMs: number;
}

export interface MoveAway {
  readonly to: NodeName;
  readonly freeBytes: number;
}

/** `null`: it stays. */
export function moveFromFullDisk(situation: Situation, tried: MoveTried | null): MoveAway | null {
  const { view, lease, me, nowMs } = situation;
  if (tried !== null && tried.term === currentTerm(situation) && nowMs - tried.atMs < againAfterMs) return null;
  if (lease.is !== 'mine' || view.postgres.state !== 'primary' || isMoving(situation)) return null;
  if (view.store.handsOff !== null || me?.failover !== 'allowed') return null;
  if (view.diskFreeBytes === null || view.diskFreeBytes >= leastDiskBytes || !hasSuccessors(situation)) return null;
  const to = roomiestSuccessor(situation);
  return to === null ? null : { to, freeBytes: view.diskFreeBytes };
}
