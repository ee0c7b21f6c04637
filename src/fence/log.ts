/**
 * The fence's log: lines on its standard error, which is a file.
 *
 * Written in the background and never waited for: a disk that is full or hangs must not keep the fence from its work.
 * What does not fit into the bound is dropped, and counted.
 */
import { write } from 'node:fs';

const longestQueue = 64;

export class Log {
  readonly #fd: number;
  #queue: string[] = [];
  #dropped = 0;
  #writing = false;
  #idle: () => void = () => undefined;

  constructor(fd = 2) {
    this.#fd = fd;
  }

  say(what: string): void {
    if (this.#queue.length >= longestQueue) this.#dropped += 1;
    else this.#queue.push(`${new Date().toISOString()} ${what}\n`);
    this.#flush();
  }

  /** Waits for what was said, at most so long. */
  written(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#writing) return;
    if (this.#queue.length === 0) {
      this.#idle();
      return;
    }
    const lost = this.#dropped === 0 ? '' : `${this.#dropped} lines were lost\n`;
    const text = lost + this.#queue.join('');
    this.#queue = [];
    this.#dropped = 0;
    this.#writing = true;
    write(this.#fd, text, () => {
      this.#writing = false;
      this.#flush();
    });
  }
}
