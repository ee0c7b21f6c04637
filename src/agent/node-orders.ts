/**
 * Orders to one standby: a new clone, a restart. Its own agent takes them; the loop carries them out.
 *
 * Invariant: neither is taken by the primary, nor while hands are off.
 */
import type { Accepted } from '../api/contract/orders.ts';
import type { CloneSource } from '../core/backups/clone-base.ts';
import type { LocalPostgres } from '../core/local-postgres.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { DatabaseNode } from './database-node.ts';
import { handsAreOff } from './hands-off-order.ts';
import { holderOf } from './switchover-orders.ts';

const words = { reinit: 'a new clone', restart: 'a restart' } as const;

export interface OrderedNode extends Pick<DatabaseNode, 'node' | 'request' | 'emit'> {
  readonly mirror: { readonly image: Pick<StoreImage, 'lease' | 'handsOff' | 'spec'> };
  /** `null`: it has not looked at its PostgreSQL yet. */
  readonly latest: { readonly view: { readonly postgres: Pick<LocalPostgres, 'state'> } } | null;
}

export type NodeOrder =
  | { readonly what: 'restart' }
  /** `from`: left out, it is chosen. */
  | { readonly what: 'reinit'; readonly from: CloneSource | undefined };

export function orderOfNode(agent: OrderedNode, order: NodeOrder, isWitness: boolean, by: string): Accepted {
  const { mirror, node } = agent;
  const { what } = order;
  if (mirror.image.handsOff !== null) return { accepted: false, because: handsAreOff };
  if (holderOf(mirror.image.lease?.value) === node) {
    return { accepted: false, because: `${node} is the primary: \`understudy switchover\` first` };
  }
  if (isWitness) return { accepted: false, because: `${node} is a witness: it has no PostgreSQL` };
  const state = agent.latest?.view.postgres.state ?? 'unknown';
  if (what === 'restart' && state !== 'standby') {
    return { accepted: false, because: `PostgreSQL on ${node} is ${state}` };
  }
  const from = order.what === 'reinit' ? order.from : undefined;
  if (from === 'backups' && (mirror.image.spec?.value.spec.backups ?? null) === null) {
    return { accepted: false, because: 'no backups are declared: there is nothing that it could be restored from' };
  }
  agent.request(order.what === 'reinit' ? { reinit: true, reinitFrom: from } : { restart: true });
  const wanted = from === undefined ? words[what] : `${words[what]} from the ${from}`;
  agent.emit('request.accepted', { by, node, what: wanted });
  return { accepted: true, because: `${node} was asked for ${wanted}` };
}
