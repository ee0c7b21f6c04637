/**
 * What this node has durably bound itself to, and how that changes.
 *
 * Invariant: one change after another, so that a cut and a promise each see what the other has made of the record; a new
 * record counts once it is on the disk, and not before. Refuses to judge what may be promised: core/promise.ts.
 */
import type { Instant, PromiseRecord } from '../core/promise.ts';
import type { PromiseFile } from '../ports/promise-file.ts';

export class PromiseBinding {
  readonly #file: PromiseFile;
  readonly #now: () => Instant;
  #record: PromiseRecord;
  #last: Promise<unknown> = Promise.resolve();

  /** Reads the record at once. Throws PROMISE_UNREADABLE: then the node may have bound itself to anything. */
  constructor(file: PromiseFile, now: () => Instant) {
    this.#file = file;
    this.#now = now;
    this.#record = file.read();
  }

  get record(): PromiseRecord {
    return this.#record;
  }

  /**
   * `change` answers the record that is to follow, or `null` to refuse. Returns when that is durable; rejects when it could
   * not be written, and the one before stays in force.
   */
  change(change: (record: PromiseRecord, now: Instant) => PromiseRecord | null): Promise<PromiseRecord | null> {
    const changed = this.#last.then(async () => {
      const next = change(this.#record, this.#now());
      if (next === null) return null;
      await this.#file.write(next);
      this.#record = next;
      return next;
    });
    this.#last = changed.catch(() => null);
    return changed;
  }
}
