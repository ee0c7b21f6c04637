/**
 * The end of a piece of work: by the clock, or by its caller.
 *
 * Invariant: it ends once, with the reason of whatever came first; listeners are told in turn and then forgotten. One timer and
 * one promise for however many waits, since a transaction has several. To be cleared when the work is done.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal | null;
  readonly #listeners = new Set<() => void>();
  #over: { readonly reason: unknown } | null = null;

  constructor(ms: number, caller: AbortSignal | null = null) {
    this.#caller = caller;
    this.#timer = setTimeout(() => this.#end(new Error(`not done within ${ms} ms`)), ms);
    if (caller?.aborted === true) this.#end(caller.reason);
    else caller?.addEventListener('abort', this.#called);
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
  async before<T>(work: Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const forget = this.onOver(() => reject(this.#over?.reason));
      work.then(
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
    this.#caller?.removeEventListener('abort', this.#called);
    this.#listeners.clear();
  }

  readonly #called = (): void => this.#end(this.#caller?.reason);

  #end(reason: unknown): void {
    if (this.#over !== null) return;
    this.#over = { reason };
    clearTimeout(this.#timer);
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }
}
