/**
 * What this process believes of the cluster: from the agent of its host, from its own meters, and from what became of its
 * own reads and writes.
 *
 * Invariant: what a server said itself counts before what was said of it. A belief that is too old is none. Nothing here
 * asks anybody; whoever asks tells it here, and whoever waits for a change is woken by each.
 */

import { LagHistory } from '../positions/lag-history.ts';
import type { Position } from '../positions/position.ts';
import type { ServerBelief } from '../routing/eligible.ts';
import type { Measurement } from '../servers/meter.ts';
import { type Backoff, fullJitterMs } from '../timing/backoff.ts';
import type { Runtime } from '../timing/runtime.ts';
import type { LocalTopology } from '../wire/local-topology.ts';
import { type ModeReport, modeOf } from './mode.ts';

export interface KnownServer {
  readonly name: string;
  readonly datacenter: string | null;
}

interface State {
  readonly server: KnownServer;
  measured: Measurement | null;
  /** As last measured, on a connection that has lived since; it may have more by now. */
  position: Position | null;
  failures: number;
  benchedUntilMs: number | null;
  lagMs: number | null;
  lagBytes: number | null;
}

const bench: Backoff = { baseMs: 1_000, capMs: 15_000 };

export class Knowledge {
  readonly #runtime: Runtime;
  /** How long a measurement counts. */
  readonly #freshMs: number;
  readonly #states = new Map<string, State>();
  readonly #history = new LagHistory();
  readonly #listeners = new Set<() => void>();
  #said: LocalTopology | null = null;
  #workedAtMs: number | null = null;
  #refusedAtMs: number | null = null;

  constructor(servers: readonly KnownServer[], freshMs: number, runtime: Runtime) {
    this.#runtime = runtime;
    this.#freshMs = freshMs;
    for (const server of servers) {
      const nothing = {
        measured: null,
        position: null,
        failures: 0,
        benchedUntilMs: null,
        lagMs: null,
        lagBytes: null,
      };
      this.#states.set(server.name, { server, ...nothing });
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `null`: the agent is not heard any more. */
  heard(said: LocalTopology | null): void {
    this.#said = said;
    this.#changed();
  }

  measured(name: string, measurement: Measurement): void {
    const state = this.#states.get(name);
    if (state === undefined) return;
    state.measured = measurement;
    const { self, atMs } = measurement;
    if (self === null) {
      state.position = null;
      this.#changed();
      return;
    }
    state.failures = 0;
    state.benchedUntilMs = null;
    if (self.position !== null) {
      const position = this.#onTimelineSaid(name, self.position);
      // Not the later of two: a server that was cloned anew begins further back.
      state.position = position;
      if (self.role === 'primary') this.#history.primaryWas(position, atMs);
      state.lagMs = self.role === 'primary' ? 0 : this.#history.lagMs(position, atMs);
      state.lagBytes = self.role === 'primary' ? 0 : this.#history.lagBytes(position);
    }
    this.#changed();
  }

  /** The primary told where it is, in answer to a question of `atMs`, by another way than its meter. */
  primaryWas(position: Position, atMs: number): void {
    this.#history.primaryWas(position, atMs);
  }

  /** The connection to it has ended: it may come back as a clone that begins further back. */
  lost(name: string): void {
    const state = this.#states.get(name);
    if (state !== undefined) state.position = null;
  }

  /** A read failed there: it rests for a while, longer each time. */
  failed(name: string): void {
    const state = this.#states.get(name);
    if (state === undefined) return;
    state.position = null;
    state.failures += 1;
    const restMs = bench.baseMs / 2 + fullJitterMs(bench, state.failures, this.#runtime.draw()) / 2;
    state.benchedUntilMs = this.#runtime.nowMs() + restMs;
    this.#changed();
  }

  writeWorked(): void {
    // Told at each commit: only what changes the mode wakes anybody.
    const isNews = this.#refusedAtMs !== null || this.#workedAtMs === null;
    this.#workedAtMs = this.#runtime.nowMs();
    this.#refusedAtMs = null;
    if (isNews) this.#changed();
  }

  writeRefused(): void {
    this.#refusedAtMs = this.#runtime.nowMs();
    this.#changed();
  }

  /** How long ago a server refused a write, and none worked since; `null`: that is not so. */
  refusedAgoMs(): number | null {
    return this.#refusedAtMs === null ? null : this.#runtime.nowMs() - this.#refusedAtMs;
  }

  /** At least there; `null`: nothing is known. */
  positionOf(name: string): Position | null {
    return this.#states.get(name)?.position ?? null;
  }

  /** So far behind, as measured a moment ago, that it won't catch up within that time. */
  isKnownToBeBehind(name: string, withinMs: number): boolean {
    const state = this.#states.get(name);
    if (state?.measured?.self?.role !== 'replica' || state.lagMs === null) return false;
    const ageMs = this.#runtime.nowMs() - state.measured.atMs;
    return state.lagMs > withinMs && ageMs < Math.min(250, state.lagMs / 2);
  }

  /** The node that may be written to; `null`: not known, or there is none. */
  primaryName(): string | null {
    const said = this.#said?.topology?.primary;
    if (said?.writable === true) return said.node;
    return this.beliefs().find(({ role, isReachable }) => role === 'primary' && isReachable === 'yes')?.name ?? null;
  }

  /** The agent of this host is heard, and knows of no such server that is up. */
  isSaidToBeGone(name: string): boolean {
    return this.#said?.topology !== undefined && this.#said.topology !== null && this.#saidOf(name)?.isUp !== true;
  }

  source(): 'agent' | 'probes' {
    return this.#said === null ? 'probes' : 'agent';
  }

  mode(): ModeReport {
    const experience = { workedAtMs: this.#workedAtMs, refusedAtMs: this.#refusedAtMs };
    return modeOf(this.#said, () => this.beliefs(), experience);
  }

  beliefs(): readonly ServerBelief[] {
    const nowMs = this.#runtime.nowMs();
    return [...this.#states.values()].map((state) => this.#beliefOf(state, nowMs));
  }

  #beliefOf(state: State, nowMs: number): ServerBelief {
    const { server, benchedUntilMs, lagMs, lagBytes } = state;
    const said = this.#saidOf(server.name);
    const datacenter = server.datacenter ?? said?.datacenter ?? null;
    const common = { name: server.name, datacenter, benchedUntilMs };
    const { measured } = state;
    if (measured !== null && nowMs - measured.atMs <= this.#freshMs) {
      if (measured.self === null) return { ...common, role: 'unknown', isReachable: 'no', lagMs: null, lagBytes: null };
      return {
        ...common,
        role: measured.self.role,
        isReachable: 'yes',
        lagMs,
        lagBytes: lagBytes ?? said?.lagBytes ?? null,
      };
    }
    if (said === null) return { ...common, role: 'unknown', isReachable: 'unknown', lagMs: null, lagBytes: null };
    const { role, isUp } = said;
    return { ...common, role, isReachable: isUp ? 'yes' : 'unknown', lagMs: null, lagBytes: said.lagBytes };
  }

  /** Agents know sooner than a standby's control file which timeline it follows; nobody goes back to an older one. */
  #onTimelineSaid(name: string, position: Position): Position {
    const timeline = this.#saidOf(name)?.timeline ?? 0;
    return timeline > position.timeline ? { ...position, timeline } : position;
  }

  #saidOf(name: string): Said | null {
    const topology = this.#said?.topology;
    if (topology === undefined || topology === null) return null;
    if (topology.primary?.node === name) {
      const { datacenter, timeline, writable } = topology.primary;
      return { role: 'primary', isUp: writable, lagBytes: 0, datacenter, timeline };
    }
    const standby = topology.standbys.find(({ node }) => node === name);
    if (standby === undefined) return null;
    const { datacenter, lagBytes, streaming, timeline } = standby;
    return { role: 'replica', isUp: streaming, lagBytes, datacenter, timeline };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

interface Said {
  readonly role: 'primary' | 'replica';
  readonly isUp: boolean;
  readonly lagBytes: number | null;
  readonly datacenter: string | null;
  readonly timeline: number | null;
}
