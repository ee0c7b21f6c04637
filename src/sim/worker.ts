/** One of the simulator's workers: carries out the plan that it is sent, and says what came of it. */
import { parentPort } from 'node:worker_threads';
import type { Plan } from './plan.ts';
import { runSeed, type SeedResult } from './run-seed.ts';

export interface Job {
  readonly plan: Plan;
  readonly keepTrace: boolean;
}

/** A failure of the simulator itself, not a violation. */
export interface BrokenJob {
  readonly broken: string;
}

export type Answer = SeedResult | BrokenJob;

parentPort?.on('message', ({ plan, keepTrace }: Job) => {
  runSeed(plan, keepTrace).then(
    (result) => answer(result),
    (error: unknown) => answer({ broken: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

function answer(what: Answer): void {
  parentPort?.postMessage(what);
}
