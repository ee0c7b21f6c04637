/** Lets anything that happened end the loop's wait at once. A wake-up during a pass is kept for the next wait. */
import type { Clock } from '../ports/clock.ts';

export class Wakeup {
  #pending = false;
  #waiting: AbortController | null = null;

  wake(): void {
    this.#pending = true;
    this.#waiting?.abort();
  }

  /** Returns after `ms`, at a wake-up, or when the signal fires. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (this.#pending || ms <= 0 || signal.aborted) {
      this.#pending = false;
      return;
    }
    const waiting = new AbortController();
    const stop = () => waiting.abort();
    signal.addEventListener('abort', stop, { once: true });
    this.#waiting = waiting;
    try {
      await clock.sleep(ms, waiting.signal);
    } catch (error) {
      if (!waiting.signal.aborted) throw error;
    } finally {
      this.#waiting = null;
      this.#pending = false;
      signal.removeEventListener('abort', stop);
    }
  }
}
