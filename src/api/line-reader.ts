/**
 * Cuts a stream of bytes into lines as they come.
 *
 * Invariant: no byte is looked at twice, and no more than one line of bounded length is kept. Empty lines are signs of
 * life and not passed on.
 */
export class LineReader {
  readonly #limitBytes: number;
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(limitBytes: number, onLine: (line: string) => void) {
    this.#limitBytes = limitBytes;
    this.#onLine = onLine;
  }

  /** Throws RangeError when a line is longer than the limit, and what `onLine` throws. */
  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      const line = Buffer.concat(this.#parts, this.#size).toString('utf8');
      this.#parts = [];
      this.#size = 0;
      if (line !== '') this.#onLine(line);
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size > this.#limitBytes) throw new RangeError(`a line is longer than ${this.#limitBytes} bytes`);
    this.#parts.push(part);
  }
}
