/**
 * Shows a switchover while it runs: on a terminal one line that is drawn over, elsewhere one plain line per step.
 *
 * Invariant: each step is shown once, and `close` leaves the cursor at the beginning of a line.
 */
import type { Operation } from '../core/operation.ts';
import { phaseText } from './receipt-text.ts';
import { waitingFor } from './switchover-text.ts';
import type { Terminal } from './terminal.ts';
import { shownWidth, spanText } from './words.ts';

export class SwitchoverProgress {
  readonly #terminal: Terminal;
  readonly #told = new Set<string>();
  #done: string[] = [];
  #isDrawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** `because`: what the agents say that they wait for, when it takes long. */
  show(operation: Operation, because: string | null): void {
    if (this.#terminal.json) return;
    for (const { phase, ms } of operation.timings) this.#tellTiming(phase, ms);
    if (this.#terminal.live) this.#draw(because ?? waitingFor(operation));
    else if (because !== null) this.#tellOnce(`waiting: ${because}`, because.replace(/[\d.]+/g, ''));
  }

  /** The remaining steps, as the receipt has them. */
  finish(timings: Operation['timings']): void {
    if (this.#terminal.json) return;
    for (const { phase, ms } of timings) this.#tellTiming(phase, ms);
    this.close(true);
  }

  close(withSteps = false): void {
    if (!this.#terminal.live) return;
    if (this.#isDrawn) this.#terminal.raw('\r\u001b[K');
    if (withSteps && this.#done.length > 0) this.#terminal.print(this.#done.join(' '));
    this.#isDrawn = false;
  }

  #tellTiming(phase: string, ms: number): void {
    if (phase === 'preflight' || this.#told.has(phase)) return;
    this.#told.add(phase);
    if (this.#terminal.live) this.#done = [...this.#done, phaseText(phase, ms, this.#terminal.paint)];
    else this.#terminal.print(`${phase} ${spanText(ms)}`);
  }

  /** `key`: what is the same although figures in the line change. */
  #tellOnce(line: string, key: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#terminal.print(line);
  }

  #draw(waiting: string): void {
    const { columns, paint } = this.#terminal;
    const done = this.#done.join(' ');
    const room = columns - shownWidth(done) - 5;
    const shown = waiting.length > room ? `${waiting.slice(0, Math.max(0, room - 1))}…` : waiting;
    this.#terminal.raw(`\r\u001b[K${done}${done === '' ? '' : ' '}${paint('dim', `… ${shown}`)}`);
    this.#isDrawn = true;
  }
}
