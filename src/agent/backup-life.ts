/**
 * The proofs of life of one run, with what is shown of it.
 *
 * Invariant: it is ended when nobody could be told of it for `endAfterMs`, when somebody else counts it as dead, or wants it to end.
 */
import { type BackupRun, beatEveryMs, endAfterMs } from '../core/backup-run.ts';
import type { ProofPart } from '../core/backups/proof.ts';
import type { Stored } from '../core/cluster-view.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';

/** What is shown of it while it lives. */
export interface RunShown {
  readonly progress?: BackupRun['progress'];
  readonly proof?: ProofPart;
}

/** Answers `null` when somebody else counts the run as dead. Throws what kept it from being told. */
type Show = (run: Stored<BackupRun>, shown: RunShown) => Promise<Stored<BackupRun> | null>;

export class BackupLife {
  readonly #tell: Show;
  readonly #clock: Clock;
  readonly #ending: AbortController;
  readonly #over = new AbortController();
  #run: Stored<BackupRun>;
  #shown: RunShown = {};
  #shownAtMs: number;

  constructor(run: Stored<BackupRun>, tell: Show, clock: Clock, ending: AbortController) {
    this.#tell = tell;
    this.#run = run;
    this.#clock = clock;
    this.#ending = ending;
    this.#shownAtMs = clock.boottimeMs();
  }

  /** As of now. */
  get shown(): RunShown {
    return this.#shown;
  }

  /** From the next proof of life on. */
  shows(shown: RunShown): void {
    this.#shown = { ...this.#shown, ...shown };
  }

  over(): void {
    this.#over.abort();
  }

  /** Until it is over. */
  async beat(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#over.signal]);
    while (!either.aborted && !this.#ending.signal.aborted) {
      await this.#clock.sleep(beatEveryMs, either).catch(() => undefined);
      if (!either.aborted) await this.#show();
    }
  }

  async #show(): Promise<void> {
    const sentAtMs = this.#clock.boottimeMs();
    try {
      const shown = await this.#tell(this.#run, this.#shown);
      if (shown === null) return this.#ending.abort('somebody else counts this run as dead');
      this.#run = shown;
      this.#shownAtMs = sentAtMs;
      const { cancelledBy = null } = shown.value;
      if (cancelledBy !== null) return this.#ending.abort(`cancelled by ${cancelledBy}`);
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
    }
    if (this.#clock.boottimeMs() - this.#shownAtMs < endAfterMs) return;
    this.#ending.abort('the store could not be told that it lives');
  }
}
