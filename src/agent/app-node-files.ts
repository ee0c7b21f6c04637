/**
 * Keeps the files of this node's applications as declared, beside the loop.
 *
 * Invariant: a pause, a resume or a repoint never waits for them; one look at them is under way at most, and the newest wish
 * follows it. What was changed or removed by hand comes back, and what failed is tried again.
 */
import type { ApplicationFiles, WantedFiles } from '../ports/application-files.ts';
import type { Clock } from '../ports/clock.ts';

const againAfterMs = 30_000;
const againAfterTroubleMs = 5_000;

/** `none`: nobody has said yet what runs here. */
export type FilesWish = WantedFiles | 'none' | 'leave';

export class ApplicationFilesUpkeep {
  readonly #files: ApplicationFiles;
  readonly #clock: Clock;
  readonly #changed: () => void;
  #isBusy = false;
  #done = '';
  #nextAtMs = 0;
  #trouble: string | null = null;

  /** `changed`: what is wrong is another thing than before. */
  constructor(files: ApplicationFiles, clock: Clock, changed: () => void) {
    this.#files = files;
    this.#clock = clock;
    this.#changed = changed;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  /** Called at each turn. */
  tend(wish: FilesWish): void {
    if (wish === 'none' || this.#isBusy) return;
    const text = JSON.stringify(wish);
    if (text === this.#done && this.#clock.boottimeMs() < this.#nextAtMs) return;
    this.#isBusy = true;
    this.#done = text;
    const work = wish === 'leave' ? this.#files.leave() : this.#files.keep(wish);
    work.then(
      (trouble) => this.#ended(trouble),
      () => {
        // The port never rejects.
      },
    );
  }

  #ended(trouble: string | null): void {
    this.#isBusy = false;
    this.#nextAtMs = this.#clock.boottimeMs() + (trouble === null ? againAfterMs : againAfterTroubleMs);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#changed();
  }
}
