/**
 * The COMMIT of one cycle and what is to befall it.
 *
 * Invariant: it is only what the server calls COMMIT in its answer; the answer to anything else reaches the client whole.
 */
import type { CommitFault } from '../commit-faults.ts';
import type { Frame } from '../wire/frames.ts';
import { commandTag, notice } from '../wire/messages.ts';

/** As PostgreSQL says it (src/backend/replication/syncrep.c). */
const cancelledWait = notice({
  S: 'WARNING',
  V: 'WARNING',
  C: '01000',
  M: 'canceling wait for synchronous replication due to user request',
  D: 'The transaction has already committed locally, but might not have been replicated to the standby.',
  F: 'syncrep.c',
  R: 'SyncRepWaitForLSN',
});

export class CommitWatch {
  readonly #fault: CommitFault;
  readonly #held: Buffer[] = [];
  #isCommitted = false;

  constructor(fault: CommitFault) {
    this.#fault = fault;
  }

  /** What goes on to the client now. */
  answered(frame: Frame): readonly Buffer[] {
    const isCommit = frame.type === 'C' && commandTag(frame.body) === 'COMMIT';
    if (isCommit) this.#isCommitted = true;
    if (this.#fault.mishap !== 'not-confirmed') {
      this.#held.push(frame.bytes);
      return [];
    }
    if (!isCommit || this.#fault.hasStruck) return [frame.bytes];
    this.#fault.strike();
    return [cancelledWait, frame.bytes];
  }

  /** The server has answered everything. `lost`: the client is never to hear of it. */
  ended(): 'lost' | readonly Buffer[] {
    if (this.#isCommitted) {
      if (this.#fault.mishap === 'not-confirmed') return [];
      this.#fault.strike();
      return 'lost';
    }
    this.#fault.giveBack();
    return this.#held;
  }

  /** The connection is gone. */
  abandon(): void {
    this.#fault.giveBack();
  }
}
