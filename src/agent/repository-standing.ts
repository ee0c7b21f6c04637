/**
 * The record of what the primary's agent knows of the repository. What looks there and what watches the archiver change parts of it.
 *
 * Invariant: one change after the other, and each is made to what stands there at that moment: none takes back another.
 */
import type { RepositoryRecord } from '../core/backup-run.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import { InTurn } from '../timing/in-turn.ts';
import type { StoreMirror } from './store-mirror.ts';

const writeWithinMs = 2_000;
/** A refusal brings what stands there now. */
const attempts = 2;

export class RepositoryStanding {
  readonly #mirror: Pick<StoreMirror, 'image' | 'transact'>;
  readonly #signal: AbortSignal;
  readonly #changes = new InTurn();

  constructor({ mirror, signal }: { readonly mirror: Pick<StoreMirror, 'image' | 'transact'>; signal: AbortSignal }) {
    [this.#mirror, this.#signal] = [mirror, signal];
  }

  get last(): RepositoryRecord | null {
    return this.#mirror.image.repository?.value ?? null;
  }

  /** `null`: there is nothing to change. Answers whether it stands there as it should. Throws STORE_UNREACHABLE. */
  change(changed: (last: RepositoryRecord | null) => RepositoryRecord | null): Promise<boolean> {
    return this.#changes.run(async () => {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const stored = this.#mirror.image.repository;
        const record = changed(stored?.value ?? null);
        if (record === null) return true;
        const { committed } = await this.#mirror.transact(
          [{ key: keys.repository, revision: stored?.revision ?? 'absent' }],
          [{ key: keys.repository, value: encodeRecord('repository', record) }],
          { withinMs: writeWithinMs, signal: this.#signal },
        );
        if (committed) return true;
      }
      return false;
    });
  }
}
