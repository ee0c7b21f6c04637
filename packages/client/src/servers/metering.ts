/**
 * Keeps what is believed of the servers fresh, while somebody reads.
 *
 * Invariant: the primary is asked before the replicas, so that what a replica lacks of it is real lag. Begins with the
 * first read and ends when nobody has read for a while; keeps no process alive. A server that is silent again and again,
 * though nothing stands between, has what is under way on it broken off.
 */
import { sqlstateOf } from '../failure.ts';
import type { Position, Self } from '../positions/position.ts';
import type { Runtime } from '../timing/runtime.ts';
import type { Knowledge } from '../topology/knowledge.ts';
import type { Measurement, Meter } from './meter.ts';
import type { ServerConnections } from './server-connections.ts';

export interface MeteredServer {
  readonly connections: ServerConnections;
  readonly meter: Meter;
}

export interface MeteringDeps {
  readonly servers: ReadonlyMap<string, MeteredServer>;
  readonly knowledge: Knowledge;
  readonly runtime: Runtime;
  readonly everyMs: number;
  /** Asks whoever the pool writes to; `null` when there was no answer. */
  readonly askPool: () => Promise<Self | null>;
}

const idleAfterMs = 30_000;
/** Silent for this many questions in a row: frozen, not slow. */
const silentTooOften = 2;

export class Metering {
  readonly #deps: MeteringDeps;
  readonly #silent = new Map<string, number>();
  #usedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #firstRound: Promise<void> | null = null;
  #isEnded = false;

  constructor(deps: MeteringDeps) {
    this.#deps = deps;
  }

  /** `null` when what is known is fresh, otherwise a promise of that. */
  used(): Promise<void> | null {
    this.#usedAtMs = this.#deps.runtime.nowMs();
    if (this.#timer !== null || this.#isEnded) return this.#firstRound;
    this.#timer = setInterval(() => this.#tick(), this.#deps.everyMs).unref();
    this.#firstRound = this.#round().finally(() => {
      this.#firstRound = null;
    });
    return this.#firstRound;
  }

  /** Where that server is now or later. */
  async measure(name: string): Promise<Measurement | null> {
    const server = this.#deps.servers.get(name);
    if (server === undefined) return null;
    const measurement = await server.meter.measure();
    this.#heard(name, server, measurement);
    return measurement;
  }

  end(): void {
    this.#isEnded = true;
    this.#rest();
    for (const { meter } of this.#deps.servers.values()) meter.end();
  }

  #tick(): void {
    if (this.#deps.runtime.nowMs() - this.#usedAtMs > idleAfterMs) this.#rest();
    else void this.#round();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #round(): Promise<void> {
    const { knowledge, servers } = this.#deps;
    const names = [...servers.keys()];
    const primary = knowledge.beliefs().find(({ role }) => role === 'primary')?.name;
    if (primary !== undefined && servers.has(primary)) await this.measure(primary);
    else await this.#askPool();
    await Promise.all(names.filter((name) => name !== primary).map((name) => this.measure(name)));
  }

  async #askPool(): Promise<void> {
    const atMs = this.#deps.runtime.nowMs();
    const self = await this.#deps.askPool();
    const position: Position | null = self?.role === 'primary' ? self.position : null;
    if (position !== null) this.#deps.knowledge.primaryWas(position, atMs);
  }

  #heard(name: string, { connections }: MeteredServer, measurement: Measurement): void {
    const silent = measurement.self === null ? (this.#silent.get(name) ?? 0) + 1 : 0;
    this.#silent.set(name, silent);
    this.#deps.knowledge.measured(name, measurement);
    // Through a pooler the question may just have waited behind long reads.
    const isDirect = connections.guard === 'startup' || this.#deps.knowledge.isSaidToBeGone(name);
    // Who refuses a connection, since it has too many, is at work on those.
    const isSure = isDirect && sqlstateOf(measurement.error) === null;
    if (silent >= silentTooOften && isSure) connections.breakOff();
  }
}
