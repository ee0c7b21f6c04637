/**
 * What one user, or one job, has written and seen, so that its reads show at least that.
 *
 * Invariant: what was done on the primary and has no known position yet makes the session *open-ended*: before a replica may
 * serve it, the primary is asked where it is now. Positions never go back. Two requests of one user that run at once are
 * two sessions: each knows what its token knew.
 */

import type { Consistency } from '../options.ts';
import { laterOf, type Position } from '../positions/position.ts';
import { formatToken, parseToken, type Token } from '../positions/token.ts';
import type { Runtime } from '../timing/runtime.ts';

/** Where the primary is now or later; asked after the session's last write has ended. */
export type AskPrimary = () => Promise<Position | null>;

/** What a read of this session needs. */
export type Requirement =
  | { readonly is: 'anything' }
  | { readonly is: 'primary'; readonly because: 'pinned' | 'open-ended' }
  | { readonly is: 'position'; readonly position: Position };

export class Session {
  readonly #consistency: Consistency;
  readonly #runtime: Runtime;
  #position: Position | null;
  #pinnedUntilMs: number | null;
  #isOpenEnded = false;
  #checkedOut = 0;

  constructor(token: Token | null, consistency: Consistency, runtime: Runtime) {
    this.#consistency = consistency;
    this.#runtime = runtime;
    this.#position = token?.position ?? null;
    this.#pinnedUntilMs = token?.pinnedUntilMs ?? null;
  }

  /** Reads of this session follow its writes by position; only then positions are asked for. */
  get isCausal(): boolean {
    return this.#consistency === 'causal';
  }

  /** A connection to the primary was handed out within the session: whatever is done with it may write. */
  checkedOut(): void {
    this.#checkedOut += 1;
    this.#touched();
  }

  returned(): void {
    this.#checkedOut -= 1;
    this.#touched();
  }

  /** A transaction of the session ended there; nothing else of it is unknown. */
  committed(position: Position | null): void {
    this.#pin();
    if (position === null) this.#isOpenEnded = true;
    else this.#position = laterOf(this.#position, position);
  }

  /** The primary is on another timeline than the session's position: from now on this is what is needed. */
  movedTo(position: Position): void {
    this.#position = position;
  }

  async requirement(askPrimary: AskPrimary): Promise<Requirement> {
    if (this.#consistency === 'any') return { is: 'anything' };
    if (this.#consistency !== 'causal') {
      const isPinned = this.#pinnedUntilMs !== null && this.#runtime.wallMs() < this.#pinnedUntilMs;
      return isPinned ? { is: 'primary', because: 'pinned' } : { is: 'anything' };
    }
    if (this.#isOpenEnded && !(await this.#close(askPrimary))) return { is: 'primary', because: 'open-ended' };
    return this.#position === null ? { is: 'anything' } : { is: 'position', position: this.#position };
  }

  /** For the next request of the same user. Asks the primary where it is when that is not known. */
  async token(askPrimary: AskPrimary): Promise<string> {
    if (this.isCausal && this.#isOpenEnded) await this.#close(askPrimary);
    return this.#format();
  }

  /** The token; `null` where somebody would have to be asked for it. */
  known(): string | null {
    return this.isCausal && this.#isOpenEnded ? null : this.#format();
  }

  /** Takes in what a token says, besides what the session knows itself. */
  adopt(text: string): boolean {
    const token = parseToken(text);
    if (token === null) return false;
    this.#position = laterOf(this.#position, token.position);
    this.#pinnedUntilMs = Math.max(this.#pinnedUntilMs ?? 0, token.pinnedUntilMs ?? 0) || null;
    return true;
  }

  async #close(askPrimary: AskPrimary): Promise<boolean> {
    // Before the question, not after it: what is written meanwhile is not in the answer.
    this.#isOpenEnded = this.#checkedOut > 0;
    const position = await askPrimary();
    if (position === null) {
      this.#isOpenEnded = true;
      return false;
    }
    this.#position = laterOf(this.#position, position);
    return true;
  }

  #format(): string {
    return formatToken({ position: this.#position, pinnedUntilMs: this.#pinnedUntilMs });
  }

  #touched(): void {
    this.#isOpenEnded = true;
    this.#pin();
  }

  #pin(): void {
    if (typeof this.#consistency !== 'object') return;
    this.#pinnedUntilMs = this.#runtime.wallMs() + this.#consistency.pinForMs;
  }
}
