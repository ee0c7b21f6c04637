/**
 * Does the work on the repository that is ordered of this node.
 *
 * Invariant: while the program runs, the store is shown that it lives; who can't show it for `endAfterMs`, or finds that somebody
 * else counts it as dead, ends the program. A run that an earlier process of this agent began has ended with that process.
 */
import { type BackupRun, beatEveryMs, isEnded } from '../core/backup-run.ts';
import type { Stored } from '../core/cluster-view.ts';
import { unreachable } from '../core/exhausted-union.ts';
import { inOneLine } from '../core/one-line.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Prover } from '../ports/prover.ts';
import type { Repository, TransferProgress } from '../ports/repository.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys } from '../records/keys.ts';
import { BackupLife, type RunShown } from './backup-life.ts';
import { type BackupWorkParts, makeBackup } from './backup-work.ts';
import type { ExecutionContext } from './execution-context.ts';
import { performProof } from './proof-work.ts';
import type { StoreMirror } from './store-mirror.ts';
import { takeTurns } from './turns.ts';

export interface BackupRunnerParts extends BackupWorkParts {
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
  /** `null`: it can't be reached from here; `trouble` says why. */
  readonly repository: () => Repository | null;
  readonly trouble: () => string | null;
  readonly prover: Prover;
}

/** At what the mirror holds. */
const lookEveryMs = 50;
const givenWithinMs = 5_000;
const writeWithinMs = 2_000;
const sweepAgainMs = 5_000;
const workWithinMs = 7 * 24 * 3_600_000;

/** What the run says next. */
type Change = Partial<Pick<BackupRun, 'state' | 'progress' | 'proof' | 'endedAt' | 'outcome'>>;

export class BackupRunner {
  readonly #parts: BackupRunnerParts;
  /** Of the run that this process wrote as begun, as far as it knows, and does not work on yet. */
  #beginning: string | null = null;

  constructor(parts: BackupRunnerParts) {
    this.#parts = parts;
  }

  async runForEver(): Promise<void> {
    await this.#sweep();
    await takeTurns(this.#parts, lookEveryMs, async () => {
      try {
        await this.#turn();
      } catch (error) {
        // The store, mostly: the next turn sees what became of it.
        if (!isUnderstudyError(error)) throw error;
      }
    });
  }

  /** What an earlier process of this agent left of a proof goes before anything else is begun. */
  async #sweep(): Promise<void> {
    const { clock, prover, signal } = this.#parts;
    for (;;) {
      try {
        await prover.sweep();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isUnderstudyError(error) && !isFromSystem(error)) throw error;
        await clock.sleep(sweepAgainMs, signal).catch(() => undefined);
      }
    }
  }

  async #turn(): Promise<void> {
    const run = this.#own();
    if (run === null) return;
    const { id, state } = run.value;
    if (state === 'running') {
      // It was taken, and only the answer got lost.
      if (this.#beginning === id) return await this.#work(run);
      await this.#end(run, { state: 'failed', outcome: 'its agent was started anew meanwhile' });
      return;
    }
    this.#beginning = id;
    const begun = await this.#write(run, { state: 'running' });
    if (begun !== null) await this.#work(begun);
  }

  /** That has not ended. */
  #own(): Stored<BackupRun> | null {
    const run = this.#parts.mirror.image.backupRun;
    return run !== null && run.value.node === this.#parts.self && !isEnded(run.value) ? run : null;
  }

  async #work(begun: Stored<BackupRun>): Promise<void> {
    const { emit, signal } = this.#parts;
    const { id, work, node } = begun.value;
    this.#beginning = null;
    const ending = new AbortController();
    const life = new BackupLife(begun, (run, shown) => this.#show(run, shown), this.#parts.clock, ending);
    const beating = life.beat(signal);
    let state: 'done' | 'failed' = 'done';
    let outcome: string;
    try {
      const both = AbortSignal.any([signal, ending.signal]);
      outcome = await this.#perform(begun.value, (shown) => life.shows(shown), both);
    } catch (error) {
      state = 'failed';
      outcome = inOneLine(ending.signal.aborted ? String(ending.signal.reason) : describeError(error));
    }
    life.over();
    await beating;
    if (signal.aborted) return;
    const by = this.#own()?.value.cancelledBy ?? null;
    const subject = work === 'proof' ? 'proof' : 'backup';
    if (state === 'failed' && by !== null) emit('backup.cancelled', { run: id, work, node, by });
    else emit(`${subject}.${state}`, { run: id, work, node, outcome });
    await this.#endAtLast(id, { ...life.shown, state, outcome });
  }

  async #perform(run: BackupRun, shows: (shown: RunShown) => void, signal: AbortSignal): Promise<string> {
    const { work } = run;
    const onProgress = (progress: TransferProgress): void => shows({ progress });
    const repository = await this.#reach(signal);
    if (repository === null) {
      const because = this.#parts.trouble() ?? 'no backups are declared';
      throw new UnderstudyError('REPOSITORY_UNREACHABLE', because);
    }
    const options = { signal, withinMs: workWithinMs };
    switch (work) {
      case 'full':
      case 'differential':
        return await makeBackup(this.#parts, repository, work, onProgress, options);
      case 'expire': {
        const gone = await repository.expire(options);
        return gone.length === 0 ? 'nothing has expired' : `expired ${gone.join(', ')}`;
      }
      case 'verify': {
        const { isSound, findings } = await repository.verify(onProgress, options);
        if (isSound) return 'everything is sound';
        throw new UnderstudyError('REPOSITORY_DAMAGED', findings.join('; '));
      }
      case 'proof':
        return await performProof({ ...this.#parts, signal }, repository, run, shows);
      default:
        return unreachable(work);
    }
  }

  /** What was given in this moment is taken up by its keeper with the next turn (repository-access.ts). */
  async #reach(signal: AbortSignal): Promise<Repository | null> {
    const { clock, repository } = this.#parts;
    const untilMs = clock.boottimeMs() + givenWithinMs;
    for (;;) {
      const reached = repository();
      if (reached !== null || clock.boottimeMs() >= untilMs) return reached;
      await clock.sleep(lookEveryMs, signal);
    }
  }

  /** Until the store has taken it, or somebody else has said otherwise. */
  async #endAtLast(id: string, change: Change): Promise<void> {
    const { clock, signal } = this.#parts;
    for (;;) {
      const run = this.#own();
      if (signal.aborted || run === null || run.value.id !== id) return;
      try {
        if ((await this.#end(run, change)) !== null) return;
      } catch (error) {
        if (!isUnderstudyError(error)) throw error;
      }
      await clock.sleep(beatEveryMs, signal).catch(() => undefined);
    }
  }

  async #end(run: Stored<BackupRun>, change: Change): Promise<Stored<BackupRun> | null> {
    const endedAt = this.#parts.clock.wallClock().toISOString();
    return await this.#write(run, { ...change, endedAt });
  }

  /**
   * Answers `null` when somebody else counts the run as dead. That the record is another than it was seen does not say so: an own
   * write may have been taken whose answer got lost. Throws STORE_UNREACHABLE, CONFLICT when it was another one twice.
   */
  async #show(run: Stored<BackupRun>, shown: RunShown): Promise<Stored<BackupRun> | null> {
    const written = await this.#write(run, shown);
    if (written !== null) return written;
    const now = this.#own();
    if (now === null || now.value.id !== run.value.id) return null;
    const again = await this.#write(now, shown);
    if (again !== null) return again;
    throw new UnderstudyError('CONFLICT', `${run.value.id} was changed by somebody else at the same time`);
  }

  /** Answers `null` when the record was not as it was seen. Throws STORE_UNREACHABLE. */
  async #write(run: Stored<BackupRun>, change: Change): Promise<Stored<BackupRun> | null> {
    const { mirror, signal } = this.#parts;
    const next: BackupRun = { ...run.value, ...change, counter: run.value.counter + 1 };
    const value = encodeRecord('backup-run', next);
    const writes: StoreWrite[] = [{ key: keys.backupRun, value }];
    if (isEnded(next)) writes.push({ key: endedRunKey(next.work), value });
    const result = await mirror.transact([{ key: keys.backupRun, revision: run.revision }], writes, {
      withinMs: writeWithinMs,
      signal,
    });
    return result.committed ? mirror.image.backupRun : null;
  }
}
