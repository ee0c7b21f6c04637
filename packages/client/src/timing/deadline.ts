/**
 * The end of a piece of work: by the clock, or by its caller.
 *
 * Invariant: it ends once, with the reason of whatever came first; listeners are told in turn and then forgotten. One timer and
 * one promise for however many waits, since a transaction has several. To be cleared when the work is done.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  /** What has come before the deadline is read first, also by a process that was too busy to look. */
  #last: NodeJS.Immediate | undefined;
  readonly #caller: AbortSignal | null;
  readonly #listeners = new Set<() => void>();
  #over: { readonly reason: unknown } | null = null;

  constructor(ms: number, caller: AbortSignal | null = null) {
    this.#caller = caller;
    const over = (): void => this.#end(new Error(`not done within ${ms} ms`));
    this.#timer = setTimeout(() => {
      this.#last = setImmediate(over);
    }, ms);
    if (caller?.aborted === true) this.#end(caller.reason);
    else caller?.addEventListener('abort', this.#called);
  }

  /** Of its end; `undefined` before. */
  get reason(): unknown {
    return this.#over?.reason;
  }

  get isOver(): boolean {
    return this.#over !== null;
  }

  throwWhenOver(): void {
    if (this.#over !== null) throw this.#over.reason;
  }

  /** Answers what forgets the listener. Called at once when it is over already. */
  onOver(listener: () => void): () => void {
    if (this.#over === null) this.#listeners.add(listener);
    else listener();
    return () => this.#listeners.delete(listener);
  }

  /** The result of `work`, or rejects with the reason of the end; what comes of `work` then is nobody's. */
  async before<T>(work: PromiseLike<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const forget = this.onOver(() => reject(this.#over?.reason));
      Promise.resolve(work).then(
        (result) => {
          forget();
          resolve(result);
        },
        (error: unknown) => {
          forget();
          reject(error);
        },
      );
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#last);
    this.#caller?.removeEventListener('abort', this.#called);
    this.#listeners.clear();
  }

  readonly #called = (): void => this.#end(this.#caller?.reason);

  #end(reason: unknown): void {
    if (this.#over !== null) return;
    this.#over = { reason };
    clearTimeout(this.#timer);
    clearImmediate(this.#last);
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }
}
