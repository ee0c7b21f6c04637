/**
 * Keeps the app node's journal up to date.
 *
 * Invariant: a journal that can't be written is trouble, told once, and stops nothing: an agent that starts anew then knows
 * less, which the topology tells it, while one that gave up here would follow nobody and leave the pooler paused.
 */
import type { AppNodeMemory } from '../core/rules/pooler-memory.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { AppNodeJournal } from './app-node-ports.ts';

export class Remembering {
  readonly #journal: AppNodeJournal;
  readonly #failed: (because: string) => void;
  #written = '';
  #trouble: string | null = null;

  constructor(journal: AppNodeJournal, failed: (because: string) => void) {
    this.#journal = journal;
    this.#failed = failed;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  /** What could not be written is tried again with the next call. */
  write(kept: AppNodeMemory): void {
    const text = JSON.stringify(kept);
    if (text === this.#written) return;
    try {
      this.#journal.write(kept);
      this.#written = text;
      this.#trouble = null;
    } catch (error) {
      const because = describeError(error);
      if (because !== this.#trouble) this.#failed(because);
      this.#trouble = because;
    }
  }
}
