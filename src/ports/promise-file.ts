/**
 * Where a node keeps its promise record (core/promise.ts).
 *
 * `write` returns when the record survives a power failure; a record that can't be read stops the node: it may have
 * bound itself to anything.
 */
import type { PromiseRecord } from '../core/promise.ts';

export interface PromiseFile {
  /** Throws PROMISE_UNREADABLE. Nothing written yet is `none`. */
  read(): PromiseRecord;
  write(record: PromiseRecord): Promise<void>;
}
