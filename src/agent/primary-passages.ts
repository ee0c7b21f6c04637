/**
 * What the primary's agent lets a standby have for a backup: the end of pgBackRest that reads this node's files and speaks to its server.
 *
 * Invariant: only the node whose backup the store says is running, only while this node holds the lease and its server is primary, and no
 * more of them than a backup needs. What runs is this node's own program, with arguments that nobody else has a say in. It ends with
 * that right, with the connection, and with this process.
 */
import type { BackupPassage } from '../api/contract/backups.ts';
import { isBackup } from '../core/backup-run.ts';
import type { NodeName } from '../core/spec.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Repository, TwoWay } from '../ports/repository.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface PrimaryPassagesParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly repository: () => Repository | null;
  /** Does this node hold the lease, and is its server primary? */
  readonly isPrimary: () => boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For the log. */
  readonly warn: (text: string) => void;
}

interface OpenPassage {
  readonly by: NodeName;
  /** The backup that it was opened for. */
  readonly run: string;
}

/** One for the backup itself, and one for its process that copies what only the primary has. */
const most = 2;
const lookEveryMs = 1_000;
/** What the standby has written reaches this node a moment later. */
const newsWithinMs = 5_000;
const newsEveryMs = 100;
const longestMs = 7 * 24 * 3_600_000;

export class PrimaryPassages {
  readonly #parts: PrimaryPassagesParts;
  #open = 0;

  constructor(parts: PrimaryPassagesParts) {
    this.#parts = parts;
  }

  /** `version`: of the program there. Throws REFUSED, REPOSITORY_UNREACHABLE, REPOSITORY_BINARIES_MISSING. */
  async open(by: NodeName, version: string): Promise<BackupPassage> {
    const { repository, self } = this.#parts;
    const because = await this.#refusal(by);
    if (because !== null) throw new UnderstudyError('REFUSED', because);
    const reached = repository();
    if (reached === null) throw new UnderstudyError('REPOSITORY_UNREACHABLE', `${self} has no repository`);
    const own = await reached.program();
    if (own.version !== version) {
      throw new UnderstudyError('REFUSED', `pgBackRest is ${version} on ${by} and ${own.version} on ${self}`, {
        hint: 'install the same version on every database node; until then the primary makes the backups',
      });
    }
    if (this.#open >= most) throw new UnderstudyError('REFUSED', `${by} has all that a backup needs already`);
    const run = this.#parts.mirror.image.backupRun?.value.id ?? '';
    this.#open += 1;
    return {
      run,
      dataDirectory: reached.dataDirectory,
      join: async (connection) => {
        try {
          await this.#serve(reached, { by, run }, connection);
        } finally {
          this.#open -= 1;
        }
      },
    };
  }

  async #serve(repository: Repository, { by, run }: OpenPassage, connection: TwoWay): Promise<void> {
    const { clock, signal, warn } = this.#parts;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const watching = (async () => {
      while (!either.aborted && this.#because(by, run) === null) {
        await clock.sleep(lookEveryMs, either).catch(() => undefined);
      }
      over.abort();
    })();
    try {
      await repository.serve(connection, { signal: either, withinMs: longestMs });
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      warn(`a backup on ${by} was not served: ${describeError(error)}`);
    } finally {
      over.abort();
      await watching;
    }
  }

  async #refusal(by: NodeName): Promise<string | null> {
    const { clock, signal } = this.#parts;
    const endMs = clock.boottimeMs() + newsWithinMs;
    for (;;) {
      const because = this.#because(by);
      if (because === null || signal.aborted || clock.boottimeMs() >= endMs) return because;
      await clock.sleep(newsEveryMs, signal).catch(() => undefined);
    }
  }

  /** Why that node may not have it now, or no more for that run; `null`: it may. */
  #because(by: NodeName, id: string | null = null): string | null {
    const { isPrimary, mirror, self } = this.#parts;
    if (!isPrimary()) return `${self} is not primary`;
    const run = mirror.image.backupRun?.value;
    const isCopying = run?.state === 'running' && isBackup(run.work) && run.node === by;
    return isCopying && (id === null || run.id === id) ? null : `no backup is running on ${by}`;
  }
}
