/**
 * The other database nodes' agents, as far as this one asks them for something, and the links to them.
 *
 * Invariant: one link to each, made when it is first needed; only to nodes that the spec names.
 */
import type { Orderer } from '../api/contract/identities.ts';
import type { Accepted, SwitchoverAnswer, SwitchoverRequest } from '../api/contract/orders.ts';
import { findNode, hostName, type NodeName, type Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';

export interface PeerAgent {
  switchover(request: SwitchoverRequest, by: Orderer, signal: AbortSignal): Promise<SwitchoverAnswer>;
  cancel(operation: string, by: Orderer): Promise<Accepted>;
  checkpoint(signal: AbortSignal): Promise<void>;
}

export interface Whereabouts {
  readonly node: NodeName;
  /** The name in its certificate. */
  readonly hostName: string;
  readonly address: string;
}

/** Throws NOT_FOUND when the spec does not name that node. */
export function whereaboutsOf(spec: Spec, node: NodeName): Whereabouts {
  const found = findNode(spec, node);
  if (found === undefined) throw new UnderstudyError('NOT_FOUND', `the spec names no node ${node}`);
  return { node, hostName: hostName(spec, node), address: found.address };
}

export class Peers<Link extends { close(): void }> {
  readonly #spec: () => Spec;
  readonly #connect: (to: Whereabouts) => Link;
  readonly #links = new Map<NodeName, Link>();

  constructor(spec: () => Spec, connect: (to: Whereabouts) => Link) {
    this.#spec = spec;
    this.#connect = connect;
  }

  /** Throws NOT_FOUND when the spec does not name that node, or there is none. */
  link(node: NodeName): Link {
    const spec = this.#spec();
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    const link = this.#connect(whereaboutsOf(spec, node));
    this.#links.set(node, link);
    return link;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }
}
