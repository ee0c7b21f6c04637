/**
 * Keeps the files of this node's applications as declared, beside the loop.
 *
 * Invariant: a pause, a resume or a repoint never waits for them; one look at them is under way at most, and the newest wish
 * follows it. What was changed or removed by hand comes back, and what failed is tried again.
 */
import type { ApplicationName } from '../core/spec.ts';
import type { ApplicationFiles, WantedFiles } from '../ports/application-files.ts';
import type { Clock } from '../ports/clock.ts';

const againAfterMs = 30_000;
const againAfterTroubleMs = 5_000;

/** `none`: nobody has said yet what runs here. */
export type FilesWish = WantedFiles | 'none' | 'leave';

export class ApplicationFilesUpkeep {
  readonly #files: ApplicationFiles;
  readonly #clock: Clock;
  readonly #changed: (renewed: readonly (readonly [ApplicationName, number])[]) => void;
  #isBusy = false;
  #done = '';
  #nextAtMs = 0;
  #trouble: string | null = null;
  #told: WantedFiles['clientPasswords'] = {};

  /** `changed`: what is wrong or what applications are told is another thing than before; `renewed`: who is told of another password. */
  constructor(
    files: ApplicationFiles,
    clock: Clock,
    changed: (renewed: readonly (readonly [ApplicationName, number])[]) => void,
  ) {
    this.#files = files;
    this.#clock = clock;
    this.#changed = changed;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  /** Which of their passwords stand in the files of applications. */
  get told(): WantedFiles['clientPasswords'] {
    return this.#told;
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
      (trouble) => this.#ended(trouble, wish === 'leave' ? {} : wish.clientPasswords),
      () => {
        // The port never rejects.
      },
    );
  }

  #ended(trouble: string | null, clientPasswords: WantedFiles['clientPasswords']): void {
    this.#isBusy = false;
    this.#nextAtMs = this.#clock.boottimeMs() + (trouble === null ? againAfterMs : againAfterTroubleMs);
    const told = trouble === null ? clientPasswords : this.#told;
    if (trouble === this.#trouble && JSON.stringify(told) === JSON.stringify(this.#told)) return;
    this.#trouble = trouble;
    const before = this.#told;
    this.#told = told;
    this.#changed(Object.entries(told).filter(([name, generation]) => generation > (before[name] ?? generation)));
  }
}
