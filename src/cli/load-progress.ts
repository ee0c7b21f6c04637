/**
 * Shows a load while it runs: on a terminal one line that is drawn over, elsewhere a plain line now and then.
 *
 * Invariant: `close` leaves the cursor at the beginning of a line. Shows nothing with `--json`.
 */
import type { LoadProgress } from '../load/run.ts';
import type { Terminal } from './terminal.ts';
import { countText, spanText } from './words.ts';

/** Between two plain lines, in ms of the load's own time. */
const plainEveryMs = 5_000;

export class LoadProgressLine {
  readonly #terminal: Terminal;
  #isDrawn = false;
  #nextPlainMs = Number.POSITIVE_INFINITY;
  #missing = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: LoadProgress): void {
    if (this.#terminal.json) return;
    if (progress.stage === 'writing') this.#writing(progress);
    else this.#resting(progress.missing);
  }

  close(): void {
    if (this.#isDrawn) this.#terminal.raw('\r\u001b[K');
    this.#isDrawn = false;
  }

  #writing({ counts, leftMs }: Extract<LoadProgress, { stage: 'writing' }>): void {
    const { failed, ok, silentMs, longestGapMs, unknown } = counts;
    const silence = silentMs > 1_000 ? `, none for ${spanText(silentMs)}` : '';
    const line = `${spanText(leftMs)} left: ${countText(ok, 'commit')}${silence}, ${failed} failed, ${unknown} unknown, longest gap ${spanText(longestGapMs)}`;
    if (this.#terminal.live) this.#draw(line);
    else if (leftMs <= this.#nextPlainMs) {
      // The first look only sets when to speak.
      if (this.#nextPlainMs !== Number.POSITIVE_INFINITY) this.#terminal.print(line);
      this.#nextPlainMs = leftMs - plainEveryMs;
    }
  }

  #resting(missing: readonly string[]): void {
    if (missing.length === 0) return;
    const line = `waiting for rest: ${missing.join('; ')}`;
    // Without figures it is the same line again.
    const key = missing.join().replace(/[\d./A-F]+/g, '');
    if (this.#terminal.live) this.#draw(line);
    else if (key !== this.#missing) this.#terminal.print(line);
    this.#missing = key;
  }

  #draw(text: string): void {
    const room = this.#terminal.columns - 3;
    const shown = text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text;
    this.#terminal.raw(`\r\u001b[K${this.#terminal.paint('dim', `… ${shown}`)}`);
    this.#isDrawn = true;
  }
}
