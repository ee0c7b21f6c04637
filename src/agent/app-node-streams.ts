/**
 * Follows the topology as every database agent sends it, and keeps the latest of each.
 *
 * Invariant: one stream per agent at most. A broken or silent one is followed anew, a little later each time; what it
 * said last is kept with the time of its arrival, and the rules judge what it is still worth.
 */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import { heardForMs, type Sighting } from '../core/rules/pooler-memory.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { DatabaseAgent, TopologySource } from './app-node-ports.ts';

const firstRetryMs = 100;
const longestRetryMs = 2_000;

interface Stream {
  readonly agent: DatabaseAgent;
  readonly ended: AbortController;
  sighting: Sighting | null;
  isConnected: boolean;
  /** The last that was heard of its agent: this node is none of the cluster's. */
  isStranger: boolean;
}

export class TopologyStreams {
  readonly #source: TopologySource;
  readonly #clock: Clock;
  readonly #onMessage: (message: TopologyMessage) => void;
  readonly #streams = new Map<NodeName, Stream>();

  constructor(source: TopologySource, clock: Clock, onMessage: (message: TopologyMessage) => void) {
    this.#source = source;
    this.#clock = clock;
    this.#onMessage = onMessage;
  }

  /** Follows exactly these agents from now on. */
  follow(agents: readonly DatabaseAgent[]): void {
    for (const [node, stream] of this.#streams) {
      const wanted = agents.find((agent) => agent.node === node);
      if (wanted?.address === stream.agent.address && wanted.hostName === stream.agent.hostName) continue;
      stream.ended.abort();
      this.#streams.delete(node);
    }
    for (const agent of agents) {
      if (this.#streams.has(agent.node)) continue;
      const stream: Stream = {
        agent,
        ended: new AbortController(),
        sighting: null,
        isConnected: false,
        isStranger: false,
      };
      this.#streams.set(agent.node, stream);
      this.#run(stream).catch(() => {
        // `#run` ends by its signal alone; the sleep in it rejects then.
      });
    }
  }

  get sightings(): readonly Sighting[] {
    return [...this.#streams.values()].flatMap((stream) => (stream.sighting === null ? [] : [stream.sighting]));
  }

  /** Agents whose stream is alive. */
  get connected(): readonly DatabaseAgent[] {
    return [...this.#streams.values()].filter((stream) => stream.isConnected).map((stream) => stream.agent);
  }

  /**
   * Is this node none of the cluster's any more? By the word of more than half of the agents, and nobody's against it: one
   * alone may have an older spec.
   */
  get isExpelled(): boolean {
    const streams = [...this.#streams.values()];
    const strangers = streams.filter((stream) => stream.isStranger).length;
    return 2 * strangers > streams.length && !streams.some((stream) => stream.isConnected);
  }

  stop(): void {
    this.follow([]);
  }

  async #run(stream: Stream): Promise<void> {
    const { signal } = stream.ended;
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const heard = await this.#once(stream);
      stream.isConnected = false;
      retryMs = heard ? firstRetryMs : Math.min(2 * retryMs, longestRetryMs);
      await this.#clock.sleep(retryMs, signal);
    }
  }

  /** One connection, until it breaks or falls silent; answers whether anything was heard. */
  async #once(stream: Stream): Promise<boolean> {
    const attempt = new AbortController();
    const stop = (): void => attempt.abort();
    const broke = (_because: string, isStranger: boolean): void => {
      if (isStranger) stream.isStranger = true;
      stop();
    };
    stream.ended.signal.addEventListener('abort', stop);
    let lastMs = this.#clock.boottimeMs();
    let heard = false;
    const onMessage = (message: TopologyMessage): void => {
      if (attempt.signal.aborted) return;
      lastMs = this.#clock.boottimeMs();
      heard = true;
      stream.isConnected = true;
      stream.isStranger = false;
      stream.sighting = { agent: stream.agent.node, topology: message.topology, atMs: lastMs };
      this.#onMessage(message);
    };
    try {
      this.#source.follow(stream.agent, onMessage, broke, attempt.signal);
      // A stream that sends nothing for this long is dead, whatever TCP thinks of it.
      while (!attempt.signal.aborted && this.#clock.boottimeMs() - lastMs < heardForMs) {
        await this.#clock.sleep(heardForMs - (this.#clock.boottimeMs() - lastMs), attempt.signal).catch(() => {});
      }
      return heard;
    } finally {
      stream.ended.signal.removeEventListener('abort', stop);
      attempt.abort();
    }
  }
}
