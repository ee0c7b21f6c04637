/**
 * A simulated pgbouncer and the applications behind it: transactions that come in, wait while it is paused or can't
 * reach a server, and end as committed, failed or unknown.
 *
 * Unknown is only what was handed to a server and not answered. Invariants: while paused nothing is handed out; a pause
 * is over with the process; a server that refuses is tried again after `loginRetryMs`, or at once when the pooler is
 * pointed elsewhere.
 */
import type { PoolerConfiguration } from '../../core/pooler-configuration.ts';
import type { ReachAnswer } from '../../core/rules/pooler-memory.ts';
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { LocalPooler, Pooler } from '../../ports/pooler.ts';
import type { Host, SimulatedProcess } from '../world/host.ts';
import type { Network } from '../world/network.ts';
import type { Random } from '../world/random.ts';
import type { VirtualTime } from '../world/virtual-time.ts';
import type { FakeServer } from './server.ts';
import type { CommitOutcome } from './server-process.ts';

export type TransactionOutcome = 'committed' | 'failed' | 'unknown';

export interface Transaction {
  readonly row: number;
  readonly replicated: boolean;
  readonly begunAtMs: number;
  done(outcome: TransactionOutcome, because: CommitOutcome | 'pooler-lost' | 'waited-too-long' | 'silent'): void;
}

interface HandedOut {
  readonly address: string;
  readonly atMs: number;
  lose(): void;
  pointedAway(): void;
}

const loginRetryMs = 1_000;
const queryWaitMs = 120_000;
/** Keepalives and `tcp_user_timeout` end a connection to a vanished server after this. */
const silentServerMs = 10_000;
const abandonedAfterMs = 5_000;

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
  #waiting: Transaction[] = [];
  readonly #active = new Map<Transaction, HandedOut>();
  #retryAtMs = 0;
  #generation = 0;
  readonly #lost = new Set<() => void>();
  readonly #stirred = new Set<() => void>();

  constructor(host: Host, network: Network, random: Random, serverAt: (address: string) => FakeServer | undefined) {
    this.host = host;
    this.#time = host.time;
    this.#network = network;
    this.#random = random;
    this.#serverAt = serverAt;
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
    this.#waiting.push(transaction);
    this.#dispatch();
  }

  kill(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#isPaused = false;
    this.#generation += 1;
    const waiting = this.#waiting.splice(0);
    const active = [...this.#active.keys()];
    this.#active.clear();
    for (const transaction of waiting) transaction.done('failed', 'pooler-lost');
    for (const transaction of active) transaction.done('unknown', 'pooler-lost');
    for (const listener of [...this.#lost]) listener();
  }

  /** The port, as that agent reaches it. */
  port(agent: SimulatedProcess): Pooler {
    const act = async (ms: number): Promise<void> => {
      await agent.clock.sleep(ms);
    };
    return {
      observe: async () => {
        await act(1);
        return this.#look();
      },
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
      pause: async (_onBlockers, { signal, withinMs }) => {
        const begunAtMs = this.#time.nowMs;
        await act(this.#random.between(0.5, 5));
        this.#requireRunning();
        if (!this.#isPaused) this.#pausedAtMs = this.#time.nowMs;
        this.#isPaused = true;
        this.#isForMove = true;
        const generation = this.#generation;
        while (this.#active.size > 0) {
          if (signal?.aborted === true || this.#time.nowMs - begunAtMs > withinMs) {
            this.#resume();
            throw new UnderstudyError('POOLER_TIMEOUT', 'it did not drain');
          }
          await act(2);
          if (generation !== this.#generation) throw new UnderstudyError('POOLER_FAILED', 'the pooler is gone');
        }
        return { drainMs: this.#time.nowMs - begunAtMs };
      },
      hold: async (configuration) => {
        await act(this.#random.between(0.5, 5));
        this.#requireRunning();
        if (!this.#isPaused) this.#pausedAtMs = this.#time.nowMs;
        this.#isPaused = true;
        this.#isForMove = false;
        this.#point(configuration);
      },
      abandon: async (former, signal) => (former === null ? 0 : await this.#abandon(former.address, act, signal)),
      reach: async (address, _port, withinMs) => await this.#reach(address, withinMs, act),
      onStir: (listener) => {
        const heard = () => agent.deliver(listener);
        this.#stirred.add(heard);
        return () => this.#stirred.delete(heard);
      },
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

  async #abandon(address: string, act: (ms: number) => Promise<void>, signal: AbortSignal): Promise<number> {
    const generation = this.#generation;
    let count = 0;
    while (!signal.aborted && generation === this.#generation) {
      const stranded = [...this.#active.values()].filter((one) => one.address === address);
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
  async #reach(address: string, withinMs: number, act: (ms: number) => Promise<void>): Promise<ReachAnswer> {
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
      waiting: this.#waiting.length,
    };
  }

  #resume(): void {
    this.#isPaused = false;
    this.#dispatch();
  }

  #point(configuration: PoolerConfiguration): void {
    const before = this.target;
    this.#configuration = configuration;
    if (before === this.target) return;
    this.#retryAtMs = 0;
    // Connections to the old server are closed when they come back; those that never will are dropped.
    for (const { pointedAway } of [...this.#active.values()]) pointedAway();
    this.#dispatch();
  }

  #dispatch(): void {
    if (!this.#isRunning || this.#isPaused || this.target === null) return;
    if (this.#time.nowMs < this.#retryAtMs) return;
    for (const transaction of this.#waiting.splice(0)) this.#handOut(transaction);
  }

  #handOut(transaction: Transaction): void {
    if (this.#time.nowMs - transaction.begunAtMs > queryWaitMs) {
      transaction.done('failed', 'waited-too-long');
      return;
    }
    const server = this.#serverAt(this.target ?? '');
    if (server === undefined) {
      this.#again(transaction);
      return;
    }
    let isOver = false;
    const settle = (run: () => void): void => {
      if (isOver || !this.#active.has(transaction)) return;
      isOver = true;
      silence.cancel();
      this.#active.delete(transaction);
      run();
    };
    const lose = (): void => settle(() => transaction.done('unknown', 'silent'));
    const silence = this.#time.after(silentServerMs, lose);
    this.#active.set(transaction, {
      address: this.target ?? '',
      atMs: this.#time.nowMs,
      lose,
      // pgbouncer lets a transaction end; what hangs towards a dead host is ended by its keepalives.
      pointedAway: () => {
        if (!this.#network.isOpen(this.host, server.host)) lose();
      },
    });
    const { row, replicated } = transaction;
    this.#network.send(this.host, server.host, () => {
      const answer = (outcome: CommitOutcome): void =>
        this.#network.send(server.host, this.host, () => settle(() => this.#answered(transaction, outcome)));
      server.commits.execute({ row, replicated, answer });
    });
  }

  #answered(transaction: Transaction, outcome: CommitOutcome): void {
    switch (outcome) {
      case 'committed':
        transaction.done('committed', outcome);
        return;
      case 'read-only':
        transaction.done('failed', outcome);
        return;
      case 'broken':
        transaction.done('unknown', outcome);
        return;
      case 'refused':
        this.#again(transaction);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** The login failed: the client goes on waiting, and the server is tried again later. */
  #again(transaction: Transaction): void {
    this.#waiting.push(transaction);
    for (const listener of [...this.#stirred]) listener();
    if (this.#retryAtMs > this.#time.nowMs) return;
    this.#retryAtMs = this.#time.nowMs + loginRetryMs;
    this.#time.after(loginRetryMs, () => this.host.whenAwake(() => this.#dispatch()));
  }
}
