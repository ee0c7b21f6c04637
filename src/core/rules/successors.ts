/**
 * Could somebody else be primary, if this node gave the lease away now?
 *
 * Asked before every hand-over without a target: an election that can't be won costs only time, and one that is won by
 * a node with the same full disk begins the same again. Says nothing of who will win; see ballot.ts.
 */
import type { MemberStatus } from '../cluster-view.ts';
import { neededBallots } from '../durability.ts';
import { liveMember, otherDatabaseNodes, type Situation } from '../situation.ts';

/** Less free disk than this and a new primary would stop at once. */
export const leastDiskBytes = 64 * 1024 * 1024;
/** Room that makes a difference to a primary whose own disk is full: 64 MiB are written within seconds. */
const roomyDiskBytes = 4 * leastDiskBytes;

/** Enough standbys run to elect, and one of them may be primary and has room on its disk. */
export function hasSuccessors(situation: Situation): boolean {
  const { durability } = situation.view.store;
  const needed = durability === null ? null : neededBallots(durability.value);
  if (needed === null) return false;
  const running = otherDatabaseNodes(situation).flatMap((node) => {
    const member = liveMember(situation, node.name);
    return member?.postgres.state === 'standby' ? [{ node, member }] : [];
  });
  const heard = running.filter(({ node }) => durability?.value.standbys.includes(node.name) === true);
  const isAble = ({ node, member }: (typeof running)[number]): boolean =>
    node.failover === 'allowed' && (member.unfit ?? null) === null && hasRoom(member);
  return heard.length >= needed && running.some(isAble);
}

/** Not known is not full. */
function hasRoom({ diskFreeBytes }: MemberStatus): boolean {
  return diskFreeBytes === null || diskFreeBytes >= roomyDiskBytes;
}
