/** How much is free where the server's data is, read now and then: the file system may be slow to say. */
import type { Clock } from '../ports/clock.ts';

const readEveryMs = 2_000;

export class FreeDisk {
  readonly #clock: Clock;
  readonly #read: () => Promise<number | null>;
  #last: { readonly bytes: number | null; readonly atMs: number } | null = null;

  constructor(clock: Clock, read: () => Promise<number | null>) {
    this.#clock = clock;
    this.#read = read;
  }

  /** `null`: not known. Rejects as reading does. */
  async bytes(): Promise<number | null> {
    const now = this.#clock.boottimeMs();
    if (this.#last === null || now - this.#last.atMs >= readEveryMs) {
      this.#last = { bytes: await this.#read(), atMs: now };
    }
    return this.#last.bytes;
  }
}
