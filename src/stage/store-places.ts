/**
 * Where the members of a stage's store live, and what a stage of that size can lose. Pure.
 *
 * Two database nodes with a witness have three, one beside each node, as the declaration's default has it: with a host a
 * member of the store goes, also where hosts have networks of their own. Other stages with such networks have members on
 * hosts of their own, so that a node can be cut off from the store and nothing else (docs/adr/0015).
 * Refuses a witness that would not vote: beside one database node, or three and more, it would make no third member.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { StageHost, StageNode, StageRecord } from './record.ts';

/** The declaration's default has no more, either (src/config/schema.ts). */
const mostMembers = 3;
export const databaseNodesOfWitness = 2;

export interface StoreSize {
  readonly nodes: number;
  readonly witness?: boolean;
}

/** Throws REQUEST_INVALID. */
export function refuseIdleWitness({ nodes, witness }: StoreSize): void {
  if (witness !== true || nodes === databaseNodesOfWitness) return;
  const message =
    nodes > databaseNodesOfWitness
      ? `${nodes} database nodes carry the store's three members themselves, and leave none to a witness`
      : 'beside one database node a witness is no help: nobody could take over';
  throw new UnderstudyError('REQUEST_INVALID', message, { hint: 'understudy stage up --nodes 2 --witness' });
}

export function storePlaces(
  nodes: readonly StageNode[],
  { network, namespaces }: Pick<StageRecord, 'network' | 'namespaces'>,
): Pick<StageRecord, 'storeMembers' | 'storeHosts'> {
  const carriers = nodes.filter(({ role }) => role !== 'app');
  // Two members would stop with the loss of either: one serves as well, three serve better.
  const members = carriers.slice(0, carriers.length >= mostMembers ? mostMembers : 1);
  const apart = namespaces && !carriers.some(({ role }) => role === 'witness');
  const hosts: readonly StageHost[] = members.map((_, index) => ({
    name: `store${index + 1}`,
    address: `${network}.${51 + index}`,
  }));
  return { storeMembers: (apart ? hosts : members).map(({ name }) => name), storeHosts: apart ? [...hosts] : [] };
}

/** `null`: the store bears the loss of any one host, or nobody could take over anyway. */
export function storeWarning({ nodes, storeMembers, storeHosts }: StageRecord): string | null {
  const [only, ...others] = storeMembers;
  const databases = nodes.filter(({ role }) => role === 'database');
  if (only === undefined || others.length > 0 || databases.length < databaseNodesOfWitness) return null;
  const place = storeHosts.length > 0 ? `has one member, ${only}` : `has one member, beside ${only}`;
  return `the store ${place}: without that host nobody can take over (--witness makes three)`;
}
