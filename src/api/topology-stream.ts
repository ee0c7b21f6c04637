/**
 * Sends the topology to everybody who follows it.
 *
 * Invariant: a follower gets the newest message, never one older than it has; what a slow one missed is left out. A change
 * is serialised once for all, and sent before anything is worked out for single followers: a pause waits for it. What an app
 * node is configured with follows a moment later, when it changed.
 */
import type { ServerResponse } from 'node:http';
import type { AgentBackend } from './contract/backend.ts';
import type { Identity } from './contract/identities.ts';
import { type StreamLimits, StreamWriter } from './stream-writer.ts';

interface Current {
  readonly json: string;
  readonly line: Buffer;
}

interface Follower {
  readonly identity: Identity;
  readonly isAllowed: () => boolean;
  readonly writer: StreamWriter;
  /** As JSON; `null`: there is none for this one. */
  wanted: string | null;
  sent: string | null;
  missed: boolean;
}

/** Configuration is compared this much after a change, once for a burst of them. */
const configurationDelayMs = 100;

export class TopologyStream {
  readonly #backend: AgentBackend;
  readonly #limits: StreamLimits;
  readonly #followers = new Set<Follower>();
  readonly #unsubscribe: () => void;
  #isScheduled = false;
  #sentAtMs = 0;
  readonly #heartbeat: NodeJS.Timeout;
  #configurationCheck: NodeJS.Timeout | undefined;

  constructor(backend: AgentBackend, limits: StreamLimits) {
    this.#backend = backend;
    this.#limits = limits;
    this.#unsubscribe = backend.onTopology(() => this.#changed());
    // Half of it, so that no two messages are further apart.
    this.#heartbeat = setInterval(() => this.#upkeep(), limits.heartbeatMs / 2).unref();
  }

  /** `isAllowed` is asked again with each heartbeat. */
  follow(identity: Identity, isAllowed: () => boolean, response: ServerResponse): void {
    const current = this.#current();
    const writer = new StreamWriter(
      response,
      () => {
        if (follower.missed) this.#offer(follower, this.#current());
      },
      () => this.#followers.delete(follower),
    );
    const wanted = this.#configurationFor(identity);
    const follower: Follower = { identity, isAllowed, writer, wanted, sent: null, missed: false };
    this.#makeRoom(identity);
    this.#followers.add(follower);
    this.#offer(follower, current);
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#heartbeat);
    clearTimeout(this.#configurationCheck);
    for (const follower of this.#followers) follower.writer.end();
  }

  #changed(): void {
    if (this.#followers.size === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    // Several changes of one turn are one message.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#broadcast();
      this.#configurationCheck ??= setTimeout(() => this.#compareConfigurations(), configurationDelayMs).unref();
    });
  }

  #broadcast(): void {
    if (this.#followers.size === 0) return;
    this.#sentAtMs = performance.now();
    const current = this.#current();
    for (const follower of this.#followers) this.#offer(follower, current);
  }

  #offer(follower: Follower, current: Current): void {
    follower.missed = !follower.writer.isReady;
    if (follower.missed) return;
    if (follower.wanted === follower.sent || follower.wanted === null) {
      follower.writer.write(current.line);
      return;
    }
    follower.sent = follower.wanted;
    follower.writer.write(`{"topology":${current.json},"configuration":${follower.wanted}}\n`);
  }

  /** Runs whether or not there are changes: those who are slow or gone must not hide behind them. */
  #upkeep(): void {
    for (const { isAllowed, writer } of this.#followers) {
      if (isAllowed()) writer.check(this.#limits);
      else writer.cut();
    }
    if (performance.now() - this.#sentAtMs >= this.#limits.heartbeatMs * 0.75) this.#broadcast();
  }

  #compareConfigurations(): void {
    this.#configurationCheck = undefined;
    let current: Current | undefined;
    for (const follower of this.#followers) {
      follower.wanted = this.#configurationFor(follower.identity);
      if (follower.wanted === null || follower.wanted === follower.sent) continue;
      current ??= this.#current();
      this.#offer(follower, current);
    }
  }

  #configurationFor(identity: Identity): string | null {
    if (identity.kind !== 'node' || identity.role !== 'app') return null;
    const { configuration } = this.#backend.topologyMessage(identity.name);
    return configuration === undefined ? null : JSON.stringify(configuration);
  }

  #current(): Current {
    const json = JSON.stringify(this.#backend.topologyMessage(null).topology);
    return { json, line: Buffer.from(`{"topology":${json}}\n`) };
  }

  #makeRoom(identity: Identity): void {
    const own = [...this.#followers].filter(
      (follower) => follower.identity.kind === identity.kind && follower.identity.name === identity.name,
    );
    if (own.length >= this.#limits.perIdentity) own[0]?.writer.cut();
  }
}
