/**
 * How far something is: on a terminal one line that is drawn over, elsewhere a plain line now and then.
 *
 * Invariant: `close` leaves the cursor at the beginning of a line. Shows nothing with `--json`.
 */
import type { Terminal } from './terminal.ts';

const plainEveryMs = 10_000;

export class DrawnLine {
  readonly #terminal: Terminal;
  #isDrawn = false;
  #nextPlainMs: number | null = null;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(text: string, nowMs: number): void {
    if (this.#terminal.json) return;
    if (this.#terminal.live) this.#draw(text);
    else if (this.#nextPlainMs === null || nowMs >= this.#nextPlainMs) {
      // The first look only sets when to speak.
      if (this.#nextPlainMs !== null) this.#terminal.print(text);
      this.#nextPlainMs = nowMs + plainEveryMs;
    }
  }

  close(): void {
    if (this.#isDrawn) this.#terminal.raw('\r\u001b[K');
    this.#isDrawn = false;
  }

  #draw(text: string): void {
    const room = Math.max(1, this.#terminal.columns - 3);
    const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    this.#terminal.raw(`\r\u001b[K${this.#terminal.paint('dim', `… ${shown}`)}`);
    this.#isDrawn = true;
  }
}
