/**
 * A primary whose disk is as good as full: it answers, it even writes a little, and the next table that grows gets an error.
 * Where another node has room, the primary is moved there as by a switchover, which loses nothing.
 *
 * Invariants: it is moved only to a node with several times the room, so that two full disks never pass it to and fro; not
 * while hands are off, nor while it moves already. What happens when such a server has crashed: see crashes.ts.
 */
import { isMoving, type Situation } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { hasSuccessors, leastDiskBytes, roomiestSuccessor } from './successors.ts';

export interface MoveAway {
  readonly to: NodeName;
  readonly freeBytes: number;
}

/** `null`: it stays. */
export function moveFromFullDisk(situation: Situation): MoveAway | null {
  const { view, lease, me } = situation;
  if (lease.is !== 'mine' || view.postgres.state !== 'primary' || isMoving(situation)) return null;
  if (view.store.handsOff !== null || me?.failover !== 'allowed') return null;
  if (view.diskFreeBytes === null || view.diskFreeBytes >= leastDiskBytes || !hasSuccessors(situation)) return null;
  const to = roomiestSuccessor(situation);
  return to === null ? null : { to, freeBytes: view.diskFreeBytes };
}
