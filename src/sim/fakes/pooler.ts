/**
 * A simulated pgbouncer: its process, its pauses, and where it points. What becomes of the transactions that come through
 * it stands in transactions.ts.
 *
 * Invariants: while paused nothing is handed out; a pause is over with the process.
 */
import type { PoolerConfiguration } from '../../core/pooler-configuration.ts';
import type { ReachAnswer } from '../../core/rules/pooler-memory.ts';
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { LocalPooler, Pooler } from '../../ports/pooler.ts';
import type { ActOptions } from '../../ports/postgres.ts';
import type { Host, SimulatedProcess } from '../world/host.ts';
import type { Network } from '../world/network.ts';
import type { Random } from '../world/random.ts';
import type { VirtualTime } from '../world/virtual-time.ts';
import type { FakeServer } from './server.ts';
import { type Transaction, Transactions } from './transactions.ts';

const abandonedAfterMs = 5_000;

/** Takes that long on the agent's clock. */
type Act = (ms: number) => Promise<void>;

export class FakePooler {
  readonly host: Host;
  readonly #time: VirtualTime;
  readonly #network: Network;
  readonly #random: Random;
  readonly #serverAt: (address: string) => FakeServer | undefined;
  #isRunning = false;
  #isPaused = false;
  #isForMove = false;
  #pausedAtMs = 0;
  #configuration: PoolerConfiguration | null = null;
  readonly #transactions: Transactions;
  #generation = 0;
  readonly #lost = new Set<() => void>();

  constructor(host: Host, network: Network, random: Random, serverAt: (address: string) => FakeServer | undefined) {
    this.host = host;
    this.#time = host.time;
    this.#network = network;
    this.#random = random;
    this.#serverAt = serverAt;
    const target = () => (this.#isRunning && !this.#isPaused ? this.target : null);
    this.#transactions = new Transactions({ host, network, serverAt, target });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** And not because nobody accepts writes. */
  get isPausedForMove(): boolean {
    return this.#isPaused && this.#isForMove;
  }

  get target(): string | null {
    return this.#configuration?.aliases.find(({ writes }) => writes)?.addresses[0] ?? null;
  }

  submit(transaction: Transaction): void {
    if (!this.#isRunning || !this.host.isAwake) {
      transaction.done('failed', 'pooler-lost');
      return;
    }
    this.#transactions.submit(transaction);
  }

  kill(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#isPaused = false;
    this.#generation += 1;
    this.#transactions.lose();
    for (const listener of [...this.#lost]) listener();
  }

  /** The port, as that agent reaches it. */
  port(agent: SimulatedProcess): Pooler {
    const act: Act = async (ms) => {
      await agent.clock.sleep(ms);
    };
    return {
      observe: async () => {
        await act(1);
        return this.#look();
      },
      renewCertificate: async () => undefined,
      configure: async (configuration, gate) => {
        await act(this.#random.between(1, 10));
        const isNew = !this.#isRunning;
        const changed = isNew || JSON.stringify(this.#configuration) !== JSON.stringify(configuration);
        if (isNew) {
          this.#isRunning = true;
          this.#isPaused = gate === 'shut';
          this.#pausedAtMs = this.#time.nowMs;
        }
        this.#point(configuration);
        return changed;
      },
      pause: (_onBlockers, options) => this.#pause(act, options),
      hold: async (configuration) => {
        await act(this.#random.between(0.5, 5));
        this.#requireRunning();
        this.#shut(false);
        this.#point(configuration);
      },
      abandon: async (former, signal) => (former === null ? 0 : await this.#abandon(former.address, act, signal)),
      reach: async (address, _port, withinMs) => await this.#reach(address, withinMs, act),
      onStir: (listener) => this.#transactions.onStir(() => agent.deliver(listener)),
      resume: async (configuration) => {
        await act(this.#random.between(0.5, 5));
        this.#requireRunning();
        const pausedMs = this.#time.nowMs - this.#pausedAtMs;
        this.#point(configuration);
        this.#resume();
        return { pausedMs, applications: [] };
      },
      onLost: (listener) => {
        const heard = () => agent.deliver(listener);
        this.#lost.add(heard);
        return () => this.#lost.delete(heard);
      },
      stop: async () => this.kill(),
      close: async () => undefined,
    };
  }

  async #pause(act: Act, { signal, withinMs }: ActOptions): Promise<{ drainMs: number }> {
    const begunAtMs = this.#time.nowMs;
    await act(this.#random.between(0.5, 5));
    this.#requireRunning();
    this.#shut(true);
    const generation = this.#generation;
    while (this.#transactions.active > 0) {
      if (signal?.aborted === true || this.#time.nowMs - begunAtMs > withinMs) {
        this.#resume();
        throw new UnderstudyError('POOLER_TIMEOUT', 'it did not drain');
      }
      await act(2);
      if (generation !== this.#generation) throw new UnderstudyError('POOLER_FAILED', 'the pooler is gone');
    }
    return { drainMs: this.#time.nowMs - begunAtMs };
  }

  /** A pause that lasts already goes on, and may change what it is for. */
  #shut(isForMove: boolean): void {
    if (!this.#isPaused) this.#pausedAtMs = this.#time.nowMs;
    this.#isPaused = true;
    this.#isForMove = isForMove;
  }

  async #abandon(address: string, act: Act, signal: AbortSignal): Promise<number> {
    const generation = this.#generation;
    let count = 0;
    while (!signal.aborted && generation === this.#generation) {
      const stranded = this.#transactions.activeAt(address);
      if (stranded.length === 0) break;
      for (const { atMs, lose } of stranded) {
        if (this.#time.nowMs - atMs < abandonedAfterMs) continue;
        count += 1;
        lose();
      }
      await act(250);
    }
    return count;
  }

  /** The kernel answers for a postmaster that lives, whatever its state. */
  async #reach(address: string, withinMs: number, act: Act): Promise<ReachAnswer> {
    const server = this.#serverAt(address);
    const isSilent =
      server === undefined ||
      !this.#network.isOpen(this.host, server.host) ||
      !this.#network.isOpen(server.host, this.host);
    await act(isSilent ? withinMs : this.#random.between(0.1, 2));
    return isSilent ? 'silent' : server.process === null ? 'refused' : 'answers';
  }

  #requireRunning(): void {
    if (!this.#isRunning) throw new UnderstudyError('POOLER_FAILED', 'the pooler does not run');
  }

  #look(): LocalPooler {
    if (!this.#isRunning) return { state: 'stopped' };
    const aliases = this.#configuration?.aliases.filter(({ writes }) => writes).map(({ name }) => name) ?? [];
    return {
      state: 'running',
      pid: 1,
      version: 'simulated',
      paused: this.#isPaused ? aliases : [],
      clients: 1,
      waiting: this.#transactions.waiting,
      straggling: [],
      formerClients: {},
    };
  }

  #resume(): void {
    this.#isPaused = false;
    this.#transactions.dispatch();
  }

  #point(configuration: PoolerConfiguration): void {
    const before = this.target;
    this.#configuration = configuration;
    if (before === this.target) return;
    this.#transactions.turn();
  }
}
