/**
 * Orders to one node's PostgreSQL: a new clone, a restart. Its own agent takes them; the loop carries them out.
 *
 * Invariant: neither is taken by a primary that somebody else could relieve, nor while hands are off. One that nobody can is restarted
 * only for who says that nobody may write meanwhile.
 */
import type { Accepted } from '../api/contract/orders.ts';
import type { CloneSource } from '../core/backups/clone-base.ts';
import type { LocalPostgres } from '../core/local-postgres.ts';
import { othersThatMayLead } from '../core/restart-commands.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { DatabaseNode } from './database-node.ts';
import { handsAreOff } from './hands-off-order.ts';
import { holderOf } from './switchover-orders.ts';

const words = { reinit: 'a new clone', restart: 'a restart' } as const;

export interface OrderedNode extends Pick<DatabaseNode, 'node' | 'request' | 'requests' | 'emit'> {
  readonly mirror: { readonly image: Pick<StoreImage, 'lease' | 'handsOff' | 'spec'> };
  /** `null`: it has not looked at its PostgreSQL yet. */
  readonly latest: { readonly view: { readonly postgres: Pick<LocalPostgres, 'state'> } } | null;
}

export type NodeOrder =
  /** `stopsWrites`: also a primary that nobody can relieve. */
  | { readonly what: 'restart'; readonly stopsWrites?: boolean | undefined }
  /** `from`: left out, it is chosen. */
  | { readonly what: 'reinit'; readonly from: CloneSource | undefined };

export function orderOfNode(agent: OrderedNode, order: NodeOrder, isWitness: boolean, by: string): Accepted {
  const { mirror, node } = agent;
  if (mirror.image.handsOff !== null) return { accepted: false, because: handsAreOff };
  const isPrimary = holderOf(mirror.image.lease?.value) === node;
  const because = isPrimary ? whyNotPrimary(agent, order) : whyNotOther(agent, order, isWitness);
  if (because !== null) return { accepted: false, because };
  const from = order.what === 'reinit' ? order.from : undefined;
  if (order.what === 'reinit') agent.request({ reinit: true, reinitFrom: from });
  else agent.request(isPrimary ? { restartPrimary: true } : { restart: true });
  const wanted = from === undefined ? words[order.what] : `${words[order.what]} from the ${from}`;
  agent.emit('request.accepted', { by, node, what: wanted });
  return { accepted: true, because: `${node} was asked for ${wanted}` };
}

function stateOf({ latest }: OrderedNode): LocalPostgres['state'] {
  return latest?.view.postgres.state ?? 'unknown';
}

/** `null`: it is taken. */
function whyNotPrimary(agent: OrderedNode, order: NodeOrder): string | null {
  const { mirror, node } = agent;
  const nodes = mirror.image.spec?.value.spec.nodes ?? null;
  const isAlone = nodes !== null && othersThatMayLead(nodes, node).length === 0;
  if (order.what !== 'restart' || !isAlone) return `${node} is the primary: \`understudy switchover\` first`;
  if (order.stopsWrites !== true) {
    return `${node} is the primary, nobody else may be, and it was not said that nobody may write meanwhile`;
  }
  const state = stateOf(agent);
  return state === 'primary' ? null : `PostgreSQL on ${node} is ${state}`;
}

/** `null`: it is taken. */
function whyNotOther(agent: OrderedNode, order: NodeOrder, isWitness: boolean): string | null {
  const { mirror, node } = agent;
  if (isWitness) return `${node} is a witness: it has no PostgreSQL`;
  const state = stateOf(agent);
  if (order.what === 'restart') return state === 'standby' ? null : `PostgreSQL on ${node} is ${state}`;
  const { reinit, reinitFrom } = agent.requests;
  if (reinit && reinitFrom !== order.from) {
    return `${node} was asked for ${words.reinit} from ${reinitFrom === undefined ? 'what is quicker' : `the ${reinitFrom}`}, which has not ended`;
  }
  const hasBackups = (mirror.image.spec?.value.spec.backups ?? null) !== null;
  if (order.from !== 'backups' || hasBackups) return null;
  return 'no backups are declared: there is nothing that it could be restored from';
}
