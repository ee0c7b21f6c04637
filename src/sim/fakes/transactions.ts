/**
 * What applications send through a simulated pooler: each transaction waits until it can be handed to a server, and ends
 * as committed, failed or unknown.
 *
 * Unknown is only what was handed to a server and not answered. Invariants: nothing is handed out while the pooler has
 * nowhere to hand it to; a server that refuses is tried again after `loginRetryMs`, or at once when the pooler is
 * pointed elsewhere. Pauses and the pooler's process are pooler.ts's.
 */
import type { Host } from '../world/host.ts';
import type { Network } from '../world/network.ts';
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

export interface HandedOut {
  readonly address: string;
  readonly atMs: number;
  /** Its connection is given up. */
  lose(): void;
  pointedAway(): void;
}

const loginRetryMs = 1_000;
const queryWaitMs = 120_000;
/** Keepalives and `tcp_user_timeout` end a connection to a vanished server after this. */
const silentServerMs = 10_000;

export interface TransactionParts {
  readonly host: Host;
  readonly network: Network;
  readonly serverAt: (address: string) => FakeServer | undefined;
  /** Where transactions go now; `null`: nowhere. */
  readonly target: () => string | null;
}

export class Transactions {
  readonly #parts: TransactionParts;
  readonly #time: VirtualTime;
  #waiting: Transaction[] = [];
  readonly #active = new Map<Transaction, HandedOut>();
  #retryAtMs = 0;
  readonly #stirred = new Set<() => void>();

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    this.#time = parts.host.time;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many a server has and has not answered. */
  get active(): number {
    return this.#active.size;
  }

  activeAt(address: string): readonly HandedOut[] {
    return [...this.#active.values()].filter((one) => one.address === address);
  }

  submit(transaction: Transaction): void {
    this.#waiting.push(transaction);
    this.dispatch();
  }

  /** The pooler's process is gone, and every connection with it. */
  lose(): void {
    const waiting = this.#waiting.splice(0);
    const active = [...this.#active.keys()];
    this.#active.clear();
    for (const transaction of waiting) transaction.done('failed', 'pooler-lost');
    for (const transaction of active) transaction.done('unknown', 'pooler-lost');
  }

  /** The target is another one. */
  turn(): void {
    this.#retryAtMs = 0;
    // Connections to the old server are closed when they come back; those that never will are dropped.
    for (const { pointedAway } of [...this.#active.values()]) pointedAway();
    this.dispatch();
  }

  /** Hands out what waits, if there is anywhere to hand it to. */
  dispatch(): void {
    const address = this.#parts.target();
    if (address === null || this.#time.nowMs < this.#retryAtMs) return;
    for (const transaction of this.#waiting.splice(0)) this.#handOut(transaction, address);
  }

  /** `listener` hears of every login that fails. Answers how to end that. */
  onStir(listener: () => void): () => void {
    this.#stirred.add(listener);
    return () => this.#stirred.delete(listener);
  }

  #handOut(transaction: Transaction, address: string): void {
    if (this.#time.nowMs - transaction.begunAtMs > queryWaitMs) {
      transaction.done('failed', 'waited-too-long');
      return;
    }
    const { host, network } = this.#parts;
    const server = this.#parts.serverAt(address);
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
      address,
      atMs: this.#time.nowMs,
      lose,
      // pgbouncer lets a transaction end; what hangs towards a dead host is ended by its keepalives.
      pointedAway: () => {
        if (!network.isOpen(host, server.host)) lose();
      },
    });
    const { row, replicated } = transaction;
    network.send(host, server.host, () => {
      const answer = (outcome: CommitOutcome): void =>
        network.send(server.host, host, () => settle(() => this.#answered(transaction, outcome)));
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
    this.#time.after(loginRetryMs, () => this.#parts.host.whenAwake(() => this.dispatch()));
  }
}
