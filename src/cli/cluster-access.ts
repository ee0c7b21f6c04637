/**
 * Asks the cluster, whichever of its agents answers.
 *
 * Invariant: a question may go to several agents at once and be asked again; an order is sent once, to an agent that has
 * just answered, and whether to send it again is for the verb to know. Every wait has a deadline. The list of agents
 * follows the spec, as the agents' own answers tell it.
 */
import { type AgentClient, createAgentClient } from '../api/client.ts';
import { defaultApiPort } from '../config/node-file.ts';
import type { ClusterStatus } from '../core/status.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { type Credentials, readCredentials } from '../pki/credential-files.ts';
import type { Context, ContextAgent } from './context.ts';

/** How long one agent may take to answer a question, in ms. */
const questionWithinMs = 2_500;
/** After so long without an answer the next agent is asked as well, in ms. */
const impatientAfterMs = 300;
/** How long the primary's agent may take when another has answered already, in ms. */
const firstHandWithinMs = 1_000;

export interface Asking {
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

export type Question<T> = (client: AgentClient, asking: Asking, node: string) => Promise<T>;

interface Refusal {
  readonly agent: ContextAgent;
  readonly error: unknown;
}

export class ClusterAccess {
  readonly cluster: string;
  readonly #domain: string;
  readonly #credentials: Credentials;
  readonly #signal: AbortSignal;
  readonly #clients = new Map<string, AgentClient>();
  #agents: readonly ContextAgent[];
  /** Asked first: whoever answered last. */
  #favourite: string | null = null;

  constructor(context: Context, credentials: Credentials, signal: AbortSignal) {
    this.cluster = context.cluster;
    this.#domain = context.domain;
    this.#agents = context.agents;
    this.#credentials = credentials;
    this.#signal = signal;
  }

  /** Throws CERTIFICATE_REFUSED when the operator's certificate can't be read. */
  static async open(context: Context, signal: AbortSignal): Promise<ClusterAccess> {
    return new ClusterAccess(context, await readCredentials(context.tls), signal);
  }

  get agents(): readonly ContextAgent[] {
    return this.#agents;
  }

  get databaseAgents(): readonly ContextAgent[] {
    const agents = this.#agents.filter((agent) => agent.role === 'database');
    const first = agents.findIndex((agent) => agent.node === this.#favourite);
    return first <= 0 ? agents : [...agents.slice(first), ...agents.slice(0, first)];
  }

  agent(node: string): ContextAgent | undefined {
    return this.#agents.find((agent) => agent.node === node);
  }

  /**
   * Puts a question to a database agent, and to the next one when it fails or takes long; the first answer counts.
   * Throws what an agent refused it with, or AGENT_UNREACHABLE with every address and its reason. `impatientMs`: when it is put to the
   * next one as well.
   */
  async ask<T>(question: Question<T>, withinMs = questionWithinMs, impatientMs = impatientAfterMs): Promise<T> {
    const refusals: Refusal[] = [];
    const waiting = [...this.databaseAgents];
    const inner = new AbortController();
    const cancel = (): void => inner.abort(this.#signal.reason);
    this.#signal.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<T>((resolve, reject) => {
        let open = 0;
        const next = (): void => {
          const agent = waiting.shift();
          if (agent === undefined) {
            if (open === 0) reject(this.#nobody(refusals));
            return;
          }
          open += 1;
          const impatience = setTimeout(next, impatientMs);
          this.#put(agent, question, { withinMs, signal: inner.signal })
            .then(resolve, (error: unknown) => {
              open -= 1;
              refusals.push({ agent, error });
              if (isAnswer(error) || inner.signal.aborted) reject(error);
              else next();
            })
            .finally(() => clearTimeout(impatience));
        };
        next();
      });
    } finally {
      inner.abort(new Error('another agent answered'));
      this.#signal.removeEventListener('abort', cancel);
    }
  }

  /** Sends an order to an agent that answers. What it throws after that may mean that the order was carried out. */
  async order<T>(order: Question<T>, withinMs: number): Promise<T> {
    const node = await this.ask(async (client, asking, name) => {
      await client.health(asking);
      return name;
    });
    return await this.askNode(node, order, withinMs);
  }

  /** Asks this very node. Throws NOT_FOUND when the cluster has none of that name. */
  async askNode<T>(node: string, question: Question<T>, withinMs: number = questionWithinMs): Promise<T> {
    const agent = this.agent(node);
    if (agent === undefined) {
      const known = this.#agents.map((other) => other.node).join(', ');
      throw new UnderstudyError('NOT_FOUND', `there is no node ${node}; nodes are ${known}`);
    }
    return await this.#put(agent, question, { withinMs, signal: this.#signal });
  }

  /** Takes the nodes over that an answer names; their port is that of the agent with the same name, or the usual one. */
  learn(status: ClusterStatus): void {
    if (status.nodes.length === 0) return;
    const usual = this.#agents[0]?.port ?? defaultApiPort;
    const learned = status.nodes.map(({ node, role, address }) => ({
      node,
      role,
      address,
      port: this.agent(node)?.port ?? usual,
    }));
    if (!learned.some((agent) => agent.role === 'database')) return;
    for (const agent of this.#agents) {
      const now = learned.find((other) => other.node === agent.node);
      if (now?.address !== agent.address) this.#forget(agent.node);
    }
    this.#agents = learned;
  }

  /**
   * The status; what it says of the nodes is learned. The primary's own agent knows slots and poolers at first hand, so
   * its answer is preferred to that of whoever answered first.
   */
  async status(): Promise<ClusterStatus> {
    const first = await this.ask((client, asking) => client.status(asking));
    this.learn(first);
    const { from, primary } = first;
    if (primary === null || primary === from || this.agent(primary) === undefined) return first;
    try {
      const status = await this.askNode(primary, (client, asking) => client.status(asking), firstHandWithinMs);
      this.learn(status);
      return status;
    } catch (error) {
      if (isUnderstudyError(error)) return first;
      throw error;
    }
  }

  client(agent: ContextAgent): AgentClient {
    const known = this.#clients.get(agent.node);
    if (known !== undefined) return known;
    const { address, node, port } = agent;
    const hostName = `${node}.${this.#domain}`;
    const client = createAgentClient({ cluster: this.cluster, node, hostName, address, port, tls: this.#credentials });
    this.#clients.set(node, client);
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  async #put<T>(agent: ContextAgent, question: Question<T>, asking: Asking): Promise<T> {
    const answer = await question(this.client(agent), asking, agent.node);
    if (agent.role === 'database') this.#favourite = agent.node;
    return answer;
  }

  #forget(node: string): void {
    this.#clients.get(node)?.close();
    this.#clients.delete(node);
  }

  #nobody(refusals: readonly Refusal[]): UnderstudyError {
    const lines = refusals.map(
      ({ agent, error }) => `  ${agent.node} ${agent.address}:${agent.port}: ${reasonOf(error)}`,
    );
    // What is not mere silence says more: a refused certificate, a store that is away.
    const telling = refusals.find(({ error }) => !isUnderstudyError(error, 'AGENT_UNREACHABLE'))?.error;
    const code = isUnderstudyError(telling) ? telling.code : 'AGENT_UNREACHABLE';
    const hint = isUnderstudyError(telling)
      ? { hint: telling.hint }
      : { hint: 'check that the agents run: understudy doctor on each node' };
    return new UnderstudyError(code, ['no database agent could answer:', ...lines].join('\n'), hint);
  }
}

/** Did the agent mean it, so that another would say the same? */
function isAnswer(error: unknown): boolean {
  if (!isUnderstudyError(error)) return true;
  const others = ['AGENT_UNREACHABLE', 'STORE_UNREACHABLE', 'CERTIFICATE_REFUSED', 'ANSWER_INVALID', 'TIMEOUT'];
  return !others.includes(error.code);
}

/** The client names node and address in front; here they stand there already. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^the agent on \S+ \([^)]*\) (?:can't be reached: )?/, '');
}
