/** A time without a primary. Its end happens once. */
export class Failover {
  readonly #onEnd: () => void;
  readonly #ended: Promise<void>;
  #resolve: () => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when writing is possible again. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** From now on the next primary serves. */
  promote(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
    this.#resolve();
  }

  promoteAfter(ms: number): void {
    this.#timer = setTimeout(() => this.promote(), ms);
  }
}
