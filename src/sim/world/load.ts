/**
 * Applications on the app nodes of a simulated cluster: each writer inserts one unique row after another through its
 * own pooler, some asking for a replicated commit, and remembers what it was told.
 */
import type { FakePooler } from '../fakes/pooler.ts';
import type { TransactionOutcome } from '../fakes/transactions.ts';
import type { Random } from './random.ts';

export interface Row {
  readonly replicated: boolean;
  outcome: TransactionOutcome | 'open';
  because: string;
  readonly begunAtMs: number;
  endedAtMs: number;
}

/** By number, from 1. */
export class Load {
  readonly rows: Row[] = [];
  readonly #random: Random;
  #isOver = false;

  constructor(random: Random) {
    this.#random = random;
  }

  write(pooler: FakePooler, everyMs: number): void {
    const { time } = pooler.host;
    const next = (): void => {
      if (this.#isOver) return;
      const again = () => time.after(this.#random.between(0.2, 2) * everyMs, next);
      // An application comes back with its host.
      if (pooler.host.isDown) again();
      else pooler.host.whenAwake(() => this.#insert(pooler, again));
    };
    time.after(this.#random.between(0, everyMs), next);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Since then. */
  committedSince(atMs: number): { readonly local: number; readonly replicated: number } {
    let local = 0;
    let replicated = 0;
    for (const row of this.rows) {
      if (row.outcome !== 'committed' || row.begunAtMs < atMs) continue;
      if (row.replicated) replicated += 1;
      else local += 1;
    }
    return { local, replicated };
  }

  #insert(pooler: FakePooler, then: () => void): void {
    const begunAtMs = pooler.host.time.nowMs;
    const replicated = this.#random.chance(0.5);
    const row: Row = { replicated, outcome: 'open', because: '', begunAtMs, endedAtMs: 0 };
    this.rows.push(row);
    pooler.submit({
      row: this.rows.length,
      replicated,
      begunAtMs,
      done(outcome, because) {
        row.outcome = outcome;
        row.because = because;
        row.endedAtMs = pooler.host.time.nowMs;
        then();
      },
    });
  }
}
