/**
 * Has this node trust the roots that the cluster's authority says (`understudy ca rollover`): in its files, and by everybody who reads
 * them.
 *
 * Invariant: taken over is only what a root signed that is trusted here already, never an older statement, and none that drops a
 * root on which a certificate of this node rests. What was taken over is told when everybody has taken it up.
 */
import { inOneLine } from '../core/one-line.ts';
import type { TrustRecord } from '../core/trust-record.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { EventFacts } from '../events/catalogue.ts';
import type { Clock } from '../ports/clock.ts';
import type { RootFiles } from '../ports/trust.ts';
import { takeTurns } from './turns.ts';

export interface TrustKeepingParts {
  readonly files: RootFiles;
  /** As it was said last, as far as this node has heard. */
  readonly wanted: () => TrustRecord | null;
  /** The files are new: everybody who read them shall read them again. */
  readonly takeUp: () => Promise<void>;
  /** Tells the number that is in force here, each time anew. */
  readonly report?: (number: number) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tell: (name: 'trust.taken' | 'trust.refused', facts: EventFacts) => void;
}

const lookEveryMs = 1_000;

export class TrustKeeping {
  readonly #parts: TrustKeepingParts;
  #inForce: number | null = null;
  #told = '';

  constructor(parts: TrustKeepingParts) {
    this.#parts = parts;
  }

  /** Which statement everybody on this node goes by; `null`: none yet, or not known. */
  get inForce(): number | null {
    return this.#inForce;
  }

  async runForEver(): Promise<void> {
    await takeTurns(this.#parts, lookEveryMs, () => this.turn());
  }

  async turn(): Promise<void> {
    try {
      const because = await this.#keep();
      if (because !== null && because !== this.#told) this.#parts.tell('trust.refused', { because });
      this.#told = because ?? '';
      if (this.#inForce !== null) await this.#parts.report?.(this.#inForce);
    } catch (error) {
      if (this.#parts.signal.aborted) return;
      if (!isUnderstudyError(error) && !(error instanceof Error && 'syscall' in error)) throw error;
      const because = inOneLine(describeError(error));
      if (because !== this.#told) this.#parts.tell('trust.refused', { because });
      this.#told = because;
    }
  }

  /** Answers what stands against it. */
  async #keep(): Promise<string | null> {
    const { files, takeUp, tell, wanted } = this.#parts;
    const record = wanted();
    const taken = files.taken();
    const isNew = record !== null && record.number > (taken?.number ?? 0);
    if (isNew) {
      const judged = files.judge(record);
      if (!judged.ok) return judged.because;
      const orphans = files.orphans(judged.statement.rootsPem);
      if (orphans.length > 0) return `nobody would trust any more what this node has: ${orphans.join(', ')}`;
      await files.put(judged.statement);
    }
    const number = isNew ? record.number : (taken?.number ?? null);
    // After a new start of the agent, too: a crash may have come between.
    if (number === null || number === this.#inForce) return null;
    await takeUp();
    this.#inForce = number;
    if (isNew) tell('trust.taken', { number });
    return null;
  }
}
