/**
 * Long work beside the loop: one job at a time, whose progress and outcome are part of the next view.
 *
 * Invariant: a second job never starts while one runs; only a stop may push another aside, which is cancelled and
 * waited for first. The loop never waits for a job.
 */
import type { FinishedJob, JobKind, JobView } from '../core/cluster-view.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloneProgress } from '../ports/postgres.ts';

export type JobWork = (signal: AbortSignal, report: (progress: CloneProgress) => void) => Promise<void>;

const asideWithinMs = 200;

interface RunningJob {
  readonly kind: JobKind;
  readonly startedAtMs: number;
  readonly cancel: AbortController;
  readonly ended: Promise<void>;
  progress: CloneProgress | null;
}

export class Jobs {
  readonly #clock: Clock;
  readonly #onEnd: (job: FinishedJob) => void;
  readonly #last = new Map<JobKind, FinishedJob>();
  #running: RunningJob | null = null;

  constructor(clock: Clock, onEnd: (job: FinishedJob) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  get running(): JobView | null {
    const job = this.#running;
    return job === null ? null : { kind: job.kind, startedAtMs: job.startedAtMs, progress: job.progress };
  }

  get last(): ReadonlyMap<JobKind, FinishedJob> {
    return new Map(this.#last);
  }

  /** Answers whether the job was started; `false` when another one runs. */
  start(kind: JobKind, work: JobWork): boolean {
    const aside = this.#running;
    if (aside !== null && (kind !== 'stop' || aside.kind === 'stop')) return false;
    aside?.cancel.abort();
    const cancel = new AbortController();
    const startedAtMs = this.#clock.boottimeMs();
    const job: RunningJob = {
      kind,
      startedAtMs,
      cancel,
      progress: null,
      ended: this.#untilAside(aside).then(() => this.#run(kind, startedAtMs, cancel.signal, work)),
    };
    this.#running = job;
    return true;
  }

  /** Cancels what runs and waits for its end. */
  async close(): Promise<void> {
    const job = this.#running;
    job?.cancel.abort();
    await job?.ended;
  }

  /** What was pushed aside is cancelled; a stop does not wait for long for one that does not notice. */
  async #untilAside(aside: RunningJob | null): Promise<void> {
    if (aside === null) return;
    await Promise.race([aside.ended, this.#clock.sleep(asideWithinMs)]);
  }

  async #run(kind: JobKind, startedAtMs: number, signal: AbortSignal, work: JobWork): Promise<void> {
    let error: string | null = null;
    try {
      await work(signal, (progress) => {
        if (this.#running?.kind === kind) this.#running.progress = progress;
      });
    } catch (cause) {
      error = describeError(cause);
    }
    const finished: FinishedJob = {
      kind,
      outcome: error === null ? 'done' : 'failed',
      startedAtMs,
      finishedAtMs: this.#clock.boottimeMs(),
      error,
    };
    this.#last.set(kind, finished);
    if (this.#running?.startedAtMs === startedAtMs && this.#running.kind === kind) this.#running = null;
    this.#onEnd(finished);
  }
}
