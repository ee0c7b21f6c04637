/**
 * A person's orders about a switchover: begin one, undo one. Each is passed on to the agent whose part it is.
 *
 * Invariant: only the holder of the lease begins one, and prepares one at a time; an operation is undone by who began it, and
 * not after its target has taken over.
 */
import type { Orderer } from '../api/contract/identities.ts';
import type { Accepted, Preflight, SwitchoverAnswer, SwitchoverRequest } from '../api/contract/orders.ts';
import type { Lease } from '../core/lease.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { DatabaseNode } from './database-node.ts';
import type { PeerAgent } from './peers.ts';
import { type SwitchoverParts, startSwitchover } from './switchover-start.ts';

export type OrderedAgent = Pick<DatabaseNode, 'node' | 'clock' | 'signal' | 'freshView' | 'spec' | 'request' | 'emit'> &
  Pick<SwitchoverParts, 'postgres' | 'mirror'>;

export class SwitchoverOrders {
  readonly #agent: OrderedAgent;
  readonly #peer: (node: NodeName) => PeerAgent;
  #isStarting = false;

  constructor(agent: OrderedAgent, peer: (node: NodeName) => PeerAgent) {
    this.#agent = agent;
    this.#peer = peer;
  }

  /** `signal`: nobody waits for the answer any more. Throws REFUSED while nobody holds the lease. */
  async start(request: SwitchoverRequest, by: Orderer, signal: AbortSignal): Promise<SwitchoverAnswer> {
    const { node, mirror, emit } = this.#agent;
    const holder = holderOf(mirror.image.lease?.value);
    if (holder !== node) return await this.#peer(holder).switchover(request, by, signal);
    if (this.#isStarting) return this.#busy(request);
    this.#isStarting = true;
    try {
      const answer = await startSwitchover(this.#parts(signal), request, by.name);
      if (answer.outcome === 'started') {
        const { from, to } = answer.preflight;
        emit('switchover.started', { operation: answer.operation, from, to, by: by.name });
      }
      return answer;
    } finally {
      this.#isStarting = false;
    }
  }

  async cancel(operation: string, by: Orderer): Promise<Accepted> {
    const current = this.#agent.mirror.image.operation?.value;
    if (current === undefined || current.id !== operation)
      return { accepted: false, because: `there is no operation ${operation} under way` };
    if (current.phase === 'finished' || current.phase === 'undone')
      return { accepted: false, because: `it is ${current.phase} already` };
    if (current.phase === 'handed-over')
      return { accepted: false, because: `${current.to} has taken over already; it finishes` };
    if (current.from !== this.#agent.node) return await this.#peer(current.from).cancel(operation, by);
    this.#agent.request({ cancelOperation: operation });
    return { accepted: true, because: 'it is being undone' };
  }

  #busy(request: SwitchoverRequest): SwitchoverAnswer {
    const blockers = [
      { what: 'switchover', blockedBy: 'operation-active', text: 'another switchover is being prepared' },
    ];
    const preflight: Preflight = { from: this.#agent.node, to: request.to, poolers: [], blockers, warnings: [] };
    return { outcome: 'refused', preflight };
  }

  #parts(signal: AbortSignal): SwitchoverParts {
    const agent = this.#agent;
    return {
      clock: agent.clock,
      postgres: agent.postgres,
      mirror: agent.mirror,
      latest: () => agent.freshView,
      spec: () => agent.spec(),
      checkpointOn: async (node, asking) => await this.#peer(node).checkpoint(asking),
      claim: (operation) => agent.request({ driving: operation, cancelOperation: null }),
      // An agent that ends closes its API, and with it every caller's connection.
      signal,
      ended: agent.signal,
    };
  }
}

/** Throws REFUSED, with whom to wait for, while nobody holds it. */
export function holderOf(lease: Lease | undefined): NodeName {
  if (lease === undefined) throw new UnderstudyError('REFUSED', 'nobody holds the lease yet');
  if (lease.state === 'released') {
    const heir =
      lease.to === null ? 'whoever is elected, and nobody is yet' : `${lease.to}, which has not taken it yet`;
    throw new UnderstudyError('REFUSED', `the lease was released to ${heir}`);
  }
  return lease.holder;
}
