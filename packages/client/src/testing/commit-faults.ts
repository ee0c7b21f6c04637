/**
 * What is to befall the next COMMITs, in the order in which it was asked for.
 *
 * Invariant: each strikes once. A session takes one for a COMMIT that it is about to send, and gives it back when that
 * turns out to be none, as the COMMIT of a transaction that has failed.
 */
export type CommitMishap = 'carried-out-unanswered' | 'not-carried-out' | 'not-confirmed';

/** A fault that waits for its moment. */
export interface ArmedFault {
  /** It has happened. */
  readonly hasStruck: boolean;
  /** Nothing happens any more, unless it has. */
  undo(): void;
}

export class CommitFault implements ArmedFault {
  readonly mishap: CommitMishap;
  readonly #line: CommitFault[];
  #isUndone = false;
  #hasStruck = false;

  constructor(mishap: CommitMishap, line: CommitFault[]) {
    this.mishap = mishap;
    this.#line = line;
  }

  get hasStruck(): boolean {
    return this.#hasStruck;
  }

  strike(): void {
    this.#hasStruck = true;
  }

  giveBack(): void {
    if (!this.#isUndone && !this.#hasStruck) this.#line.unshift(this);
  }

  undo(): void {
    this.#isUndone = true;
    const at = this.#line.indexOf(this);
    if (at >= 0) this.#line.splice(at, 1);
  }
}

export class CommitFaults {
  readonly #line: CommitFault[] = [];

  arm(mishap: CommitMishap): CommitFault {
    const fault = new CommitFault(mishap, this.#line);
    this.#line.push(fault);
    return fault;
  }

  take(): CommitFault | null {
    return this.#line.shift() ?? null;
  }

  undoAll(): void {
    for (const fault of [...this.#line]) fault.undo();
  }
}
