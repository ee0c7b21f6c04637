/**
 * Could somebody else be primary, if this node gave the lease away now?
 *
 * Asked before every hand-over without a target: an election that can't be won costs only time, and one that is won by
 * a node with the same full disk begins the same again. Says nothing of who will win; see ballot.ts.
 */
import type { MemberStatus } from '../cluster-view.ts';
import { neededBallots } from '../durability.ts';
import { liveMember, otherDatabaseNodes, type Situation } from '../situation.ts';
import type { NodeName, NodeSpec } from '../spec.ts';

/** Less free disk than this and a new primary would stop at once. */
export const leastDiskBytes = 64 * 1024 * 1024;
/** Room that makes a difference to a primary whose own disk is full: 64 MiB are written within seconds. */
const roomyDiskBytes = 4 * leastDiskBytes;

/** Enough standbys run to elect, and one of them may be primary and has room on its disk. */
export function hasSuccessors(situation: Situation): boolean {
  const { durability } = situation.view.store;
  const needed = durability === null ? null : neededBallots(durability.value);
  if (needed === null) return false;
  const running = runningStandbys(situation);
  const heard = running.filter(({ node }) => durability?.value.standbys.includes(node.name) === true);
  return heard.length >= needed && running.some((one) => isAble(situation, one));
}

/** Of those that may be primary and are known to have room, the one with most of it; `null`: there is none. */
export function roomiestSuccessor(situation: Situation): NodeName | null {
  const roomy = runningStandbys(situation).flatMap((one) => {
    const { diskFreeBytes } = one.member;
    return isAble(situation, one) && diskFreeBytes !== null ? [{ name: one.node.name, diskFreeBytes }] : [];
  });
  return roomy.toSorted((a, b) => b.diskFreeBytes - a.diskFreeBytes)[0]?.name ?? null;
}

interface Running {
  readonly node: NodeSpec;
  readonly member: MemberStatus;
}

function runningStandbys(situation: Situation): readonly Running[] {
  return otherDatabaseNodes(situation).flatMap((node) => {
    const member = liveMember(situation, node.name);
    return member?.postgres.state === 'standby' ? [{ node, member }] : [];
  });
}

function isAble({ view }: Situation, { node, member }: Running): boolean {
  const isFit = (member.unfit ?? null) === null && !view.store.shutOut.has(node.name);
  return node.failover === 'allowed' && isFit && hasRoom(member);
}

/** Not known is not full. */
function hasRoom({ diskFreeBytes }: MemberStatus): boolean {
  return diskFreeBytes === null || diskFreeBytes >= roomyDiskBytes;
}
