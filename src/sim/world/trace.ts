/**
 * What happened in a simulated world, one line an event, and a hash of it all: the same seed has the same hash.
 *
 * Lines are kept only when somebody wants to read them; the hash always.
 */
import { hashText } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export class Trace {
  readonly lines: string[] = [];
  readonly #time: VirtualTime;
  readonly #keep: boolean;
  #hash = 0x811c9dc5;

  constructor(time: VirtualTime, keep: boolean) {
    this.#time = time;
    this.#keep = keep;
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }

  say(who: string, what: string): void {
    const line = `${(this.#time.nowMs / 1000).toFixed(3).padStart(8)}  ${who.padEnd(6)} ${what}`;
    this.#hash = hashText(line, this.#hash);
    if (this.#keep) this.lines.push(line);
  }
}
