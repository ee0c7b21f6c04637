/**
 * Workers on every core, each with one plan at a time.
 *
 * A run that goes on for ever in virtual time is ended in real time and reported as stuck: a simulator that hangs would
 * otherwise hide what it found. Plans wait in the order in which they came.
 */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Bundle, bundleWorker } from './bundle.ts';
import type { Plan } from './plan.ts';
import type { Plant } from './planted.ts';
import type { SeedResult } from './run-seed.ts';
import type { Answer, Job } from './worker.ts';

/** A seed takes a tenth of a second; this is three thousand times that, for a machine that has better things to do. */
const stuckAfterMs = 300_000;

interface Waiting {
  readonly job: Job;
  readonly resolve: (result: SeedResult) => void;
  readonly reject: (error: Error) => void;
}

export class Crew {
  readonly #bundle: Bundle;
  readonly #idle: Worker[] = [];
  readonly #busy = new Set<Worker>();
  readonly #waiting: Waiting[] = [];
  readonly size: number;

  private constructor(bundle: Bundle, size: number) {
    this.#bundle = bundle;
    this.size = size;
  }

  /** Throws when the plant does not fit the source. */
  static async hire(plant: Plant | null, size = availableParallelism()): Promise<Crew> {
    return new Crew(await bundleWorker(plant), size);
  }

  /** Rejects when the simulator itself breaks, and when it does not come to an end. */
  async run(plan: Plan, keepTrace = false): Promise<SeedResult> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ job: { plan, keepTrace }, resolve, reject });
      this.#assign();
    });
  }

  async dismiss(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the crew was dismissed'));
    await Promise.all([...this.#idle, ...this.#busy].map(async (worker) => await worker.terminate()));
    await rm(this.#bundle.directory, { recursive: true, force: true });
  }

  #assign(): void {
    if (this.#idle.length + this.#busy.size < this.size && this.#idle.length === 0 && this.#waiting.length > 0) {
      this.#idle.push(new Worker(this.#bundle.file, { execArgv: ['--enable-source-maps'] }));
    }
    const worker = this.#idle.pop();
    if (worker === undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#idle.push(worker);
      return;
    }
    this.#busy.add(worker);
    this.#carryOut(worker, next);
  }

  #carryOut(worker: Worker, { job, resolve, reject }: Waiting): void {
    const done = (isUsable: boolean): void => {
      clearTimeout(timer);
      worker.off('message', answered).off('error', lost).off('exit', ended);
      this.#busy.delete(worker);
      if (isUsable) this.#idle.push(worker);
      this.#assign();
    };
    const lost = (error: Error): void => {
      done(false);
      reject(new Error(`seed ${job.plan.seed}: ${error.message}`, { cause: error }));
    };
    const answered = (answer: Answer): void => {
      done(true);
      if ('broken' in answer) reject(new Error(`seed ${job.plan.seed}: ${answer.broken}`));
      else resolve(answer);
    };
    const ended = (code: number): void => lost(new Error(`the worker ended with code ${code}`));
    const timer = setTimeout(() => {
      void worker.terminate();
      lost(new Error(`did not end within ${stuckAfterMs / 1000} s`));
    }, stuckAfterMs);
    worker.on('message', answered).on('error', lost).on('exit', ended);
    worker.postMessage(job);
  }
}
