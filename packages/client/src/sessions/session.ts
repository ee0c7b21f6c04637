/**
 * What one user, or one job, has written and seen, so that its reads show at least that.
 *
 * Invariant: what was done on the primary and has no known position yet makes the session *open-ended*: before a replica may
 * serve it, the primary is asked where it is now. Positions never go back. Two requests of one user that run at once are
 * two sessions: each knows what its token knew.
 */

import type { Consistency } from '../options.ts';
import { laterOf, type Position } from '../positions/position.ts';
import { formatToken, type Token } from '../positions/token.ts';
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
  readonly #outer: Session | null;
  #isOpenEnded: boolean;
  #checkedOut = 0;
  /** How often something was begun or ended whose position is not known. */
  #touches = 0;
  #closing: { readonly touches: number; readonly done: Promise<boolean> } | null = null;

  /** What is written within `outer` is written by that one as well. */
  constructor(
    token: Token | null,
    consistency: Consistency,
    runtime: Runtime,
    outer: Session | null | undefined = null,
  ) {
    this.#outer = outer ?? null;
    this.#consistency = consistency;
    this.#isOpenEnded = token?.isOpenEnded ?? false;
    this.#runtime = runtime;
    this.#position = token?.position ?? null;
    this.#pinnedUntilMs = token?.pinnedUntilMs ?? null;
  }

  /** Reads of this session follow its writes by position; only then positions are asked for. */
  get isCausal(): boolean {
    return this.#consistency === 'causal';
  }

  /**
   * A connection to the primary was handed out within the session: whatever is done with it may write. Answers what is to be
   * called, once, when it is given back.
   */
  checkedOut(): () => void {
    this.#checkedOut += 1;
    this.#touched();
    const outer = this.#outer?.checkedOut();
    return () => {
      this.#checkedOut -= 1;
      this.#touched();
      outer?.();
    };
  }

  /** A transaction of the session ended there; nothing else of it is unknown. */
  committed(position: Position | null): void {
    if (position === null) this.#touched();
    else {
      this.#pin();
      this.#position = laterOf(this.#position, position);
    }
    this.#outer?.committed(position);
  }

  /** The primary is on another timeline than the session's position: from now on this is what is needed. */
  movedTo(position: Position): void {
    this.#position = position;
  }

  /** Nothing was written or seen yet: any server will do. */
  get needsNothing(): boolean {
    if (this.#consistency === 'any') return true;
    return this.isCausal && !this.#isOpenEnded && this.#position === null;
  }

  async requirement(askPrimary: AskPrimary): Promise<Requirement> {
    if (this.needsNothing) return { is: 'anything' };
    if (typeof this.#consistency === 'object') {
      const isTimed = this.#pinnedUntilMs !== null && this.#runtime.wallMs() < this.#pinnedUntilMs;
      return isTimed || this.#checkedOut > 0 ? { is: 'primary', because: 'pinned' } : { is: 'anything' };
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

  /** Those who ask while the same is being asked share the answer. */
  async #close(askPrimary: AskPrimary): Promise<boolean> {
    // A connection that is out may have written since the question was sent.
    const isShared = this.#closing?.touches === this.#touches && this.#checkedOut === 0;
    if (this.#closing !== null && isShared) return await this.#closing.done;
    const closing = { touches: this.#touches, done: this.#closed(askPrimary, this.#touches) };
    this.#closing = closing;
    const isClosed = await closing.done;
    if (this.#closing === closing) this.#closing = null;
    return isClosed;
  }

  async #closed(askPrimary: AskPrimary, touches: number): Promise<boolean> {
    const position = await askPrimary();
    // A primary of an older timeline was left behind: what it says is of no write that counts.
    if (position === null || position.timeline < (this.#position?.timeline ?? 0)) return false;
    this.#position = laterOf(this.#position, position);
    // What was written meanwhile is not in the answer.
    if (this.#touches === touches && this.#checkedOut === 0) this.#isOpenEnded = false;
    return true;
  }

  #format(): string {
    const isOpenEnded = this.isCausal && this.#isOpenEnded;
    return formatToken({ position: this.#position, pinnedUntilMs: this.#pinnedUntilMs, isOpenEnded });
  }

  #touched(): void {
    this.#isOpenEnded = true;
    this.#touches += 1;
    this.#pin();
  }

  #pin(): void {
    if (typeof this.#consistency !== 'object') return;
    this.#pinnedUntilMs = this.#runtime.wallMs() + this.#consistency.pinForMs;
  }
}
