/**
 * Ends the work on the repository whose node fell silent, in the place of that node.
 *
 * Invariant: not before the program has ended there by itself (core/backup-run.ts). Only the holder of the lease asks for it.
 */
import { type BackupRun, deadAfterMs, isEnded } from '../core/backup-run.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { endedRunKey, keys } from '../records/keys.ts';
import type { ExecutionContext } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

const writeWithinMs = 2_000;

export interface SilentRunsParts {
  readonly mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: ExecutionContext['emit'];
}

export class SilentRuns {
  readonly #parts: SilentRunsParts;
  #silence: { readonly id: string; readonly counter: number; readonly sinceMs: number } | null = null;

  constructor(parts: SilentRunsParts) {
    this.#parts = parts;
  }

  /** By the holder's own clock, since it saw the record change last. */
  async end(): Promise<void> {
    const { clock, emit, mirror, signal } = this.#parts;
    const run = mirror.image.backupRun;
    if (run === null || isEnded(run.value)) {
      this.#silence = null;
      return;
    }
    const { counter, id, node, work } = run.value;
    const nowMs = clock.boottimeMs();
    if (this.#silence?.id !== id || this.#silence.counter !== counter) {
      this.#silence = { id, counter, sinceMs: nowMs };
      return;
    }
    if (nowMs - this.#silence.sinceMs < deadAfterMs) return;
    const outcome = `${node} fell silent`;
    const endedAt = clock.wallClock().toISOString();
    const dead: BackupRun = { ...run.value, state: 'failed', counter: counter + 1, outcome, endedAt };
    const value = encodeRecord('backup-run', dead);
    const writes: readonly StoreWrite[] = [
      { key: keys.backupRun, value },
      { key: endedRunKey(work), value },
    ];
    const conditions = [{ key: keys.backupRun, revision: run.revision }];
    const { committed } = await mirror.transact(conditions, writes, { withinMs: writeWithinMs, signal });
    if (committed) emit(work === 'proof' ? 'proof.failed' : 'backup.failed', { run: id, work, node, outcome });
  }
}
