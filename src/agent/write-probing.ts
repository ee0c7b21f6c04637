/**
 * Sends a write probe to the local primary every few seconds, beside the loop, which never waits for one.
 *
 * Invariants: one probe at a time, each with a deadline; none while the primary is being moved or a job changes the
 * server, when it would cost writers time and say nothing. What a result means is decided in core/write-probe.ts.
 */
import type { LocalPostgres } from '../core/local-postgres.ts';
import type { SeenProbe, WriteProbe } from '../core/write-probe.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';

/** Each is a flushed record of about 100 bytes, and a transaction id. */
const everyMs = 3_000;
/** Whether it was one bad moment is soon known. */
const againAfterMs = 500;
const withinMs = 2_000;

export interface WriteProbingParts {
  readonly postgres: Pick<Postgres, 'probeWrite'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called when a probe came to something else than the last. */
  readonly onNews: () => void;
}

export class WriteProbing {
  readonly #parts: WriteProbingParts;
  #last: SeenProbe | null = null;
  #running: Promise<void> | null = null;

  constructor(parts: WriteProbingParts) {
    this.#parts = parts;
  }

  /** The last probe that ended. */
  get last(): SeenProbe | null {
    return this.#last;
  }

  /** Sends the next one if it is due. */
  tick(postgres: LocalPostgres, isQuiet: boolean): void {
    if (postgres.state !== 'primary' || isQuiet || this.#running !== null || this.#parts.signal.aborted) return;
    if (this.#last !== null && this.#last.pid === postgres.pid) {
      const pauseMs = this.#last.probe.came === 'written' ? everyMs : againAfterMs;
      if (this.#parts.clock.boottimeMs() - this.#last.endedAtMs < pauseMs) return;
    }
    this.#running = this.#probe(postgres.pid).finally(() => {
      this.#running = null;
    });
  }

  /** Settles when no probe is under way any more. */
  async close(): Promise<void> {
    await this.#running;
  }

  async #probe(pid: number): Promise<void> {
    const { postgres, clock, signal, onNews } = this.#parts;
    const begunAtMs = clock.boottimeMs();
    const probe = await postgres
      .probeWrite({ withinMs, signal })
      .catch((error: unknown): WriteProbe => ({ came: 'moot', text: describeError(error) }));
    if (signal.aborted) return;
    const isNews = this.#last?.pid !== pid || this.#last.probe.came !== probe.came || probe.came !== 'written';
    this.#last = { pid, begunAtMs, endedAtMs: clock.boottimeMs(), probe };
    if (isNews) onNews();
  }
}
