/**
 * Where the base of a clone comes from when it is no copy of the upstream: the repository of backups, as this node reaches it.
 *
 * What fills a directory leaves no process in it when it settles.
 */
import type { CloneSource } from '../core/backups/clone-base.ts';
import type { ActOptions, CloneProgress } from './postgres.ts';

export interface BaseWish {
  /** Empty. */
  readonly into: string;
  /** Of the upstream, for what the archive has not got yet; under a name that counts as no standby. */
  readonly conninfo: string;
  readonly slot: string;
  /** Recovered past there: by then nothing acknowledged by this node before can be missing. */
  readonly mark: string;
}

export interface CloneBase {
  /** Of the backup. */
  readonly label: string;
  /** Leaves a standby's directory, stopped in order. Throws what a restore throws, RESTORE_FAILED where nothing comes any more. */
  fill(wish: BaseWish, onProgress: (progress: CloneProgress) => void, options: ActOptions): Promise<void>;
}

export type ChosenBase = { readonly base: CloneBase } | { readonly because: string };

export interface CloneBases {
  /** `timeline`: of the upstream. Never throws for what the repository is, and says it in `because`. */
  choose(
    wish: { readonly asked: CloneSource | null; readonly timeline: number | null },
    options: ActOptions,
  ): Promise<ChosenBase>;
  /** The upstream was copied, and it took so long: the next one is weighed by it. */
  copied(copy: { readonly bytes: number; readonly ms: number }): void;
}
