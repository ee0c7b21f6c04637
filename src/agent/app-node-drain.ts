/**
 * One drain of a pooler at a time, beside the loop: begun, told of, and ended before anything else changes the pooler.
 *
 * Invariant: of a drain that was ended nothing is told any more but that it is over.
 */
import type { PoolerBlocker } from '../core/pooler-report.ts';
import type { Pooler } from '../ports/pooler.ts';

export interface DrainListener {
  /** Others hold it up than before. */
  blocked(): void;
  drained(drainMs: number): void;
  failed(error: unknown): void;
  /** After one of the two above, and after an end that was asked for. */
  over(): void;
}

export class Drain {
  readonly #pooler: Pooler;
  #underWay: { readonly cancel: AbortController; readonly over: Promise<void> } | null = null;
  #blockers: readonly PoolerBlocker[] = [];

  constructor(pooler: Pooler) {
    this.#pooler = pooler;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== null;
  }

  get blockers(): readonly PoolerBlocker[] {
    return this.#blockers;
  }

  start(withinMs: number, told: DrainListener): void {
    const cancel = new AbortController();
    const { signal } = cancel;
    this.#blockers = [];
    const settled = this.#pooler
      .pause((blockers) => this.#blocked(blockers, told), { signal, withinMs })
      .then(
        ({ drainMs }) => told.drained(drainMs),
        (error: unknown) => {
          if (!signal.aborted) told.failed(error);
        },
      );
    const over = settled.then(() => {
      if (this.#underWay?.cancel === cancel) this.#underWay = null;
      told.over();
    });
    this.#underWay = { cancel, over };
  }

  async end(): Promise<void> {
    const underWay = this.#underWay;
    if (underWay === null) return;
    underWay.cancel.abort();
    await underWay.over;
    this.#underWay = null;
  }

  #blocked(blockers: readonly PoolerBlocker[], told: DrainListener): void {
    const pids = (list: readonly PoolerBlocker[]): string => list.map((blocker) => blocker.serverPid).join();
    const isChanged = pids(blockers) !== pids(this.#blockers);
    this.#blockers = blockers;
    if (isChanged) told.blocked();
  }
}
