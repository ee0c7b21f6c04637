/**
 * What the repository is, before anything is written to it and after a command that failed without saying why.
 *
 * Invariant: whoever gets contents from `own` may write: they can be read, with this passphrase, and are of this cluster or of none.
 * pgBackRest itself compares system identifiers in backups and archiving alone.
 */
import type { RepositoryContents } from '../core/repository.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { parseInfo } from './contents.ts';
import { failure, isUnclear, messageOf } from './failures.ts';
import type { CommandResult, Invoker } from './invocation.ts';
import { systemIdentifierOf } from './system-identifier.ts';

/** A look waits so long for an answer of the repository, in s; pgBackRest tries four times. */
export const lookIoTimeoutS = 5;
/** Enough for all attempts of a look, in ms. */
const lookWithinMs = 60_000;
/** A backup takes some 1,000 bytes there, and a damaged file of a verification some 100. */
export const wholeUpToBytes = 64 * 1_048_576;

interface Look {
  readonly contents: RepositoryContents;
  /** Of `trouble`. */
  readonly code: keyof typeof stateOf | null;
}

const stateOf = {
  REPOSITORY_UNREACHABLE: 'unreachable',
  REPOSITORY_FOREIGN: 'foreign',
  REPOSITORY_PASSPHRASE: 'foreign',
} as const;

function trouble(code: keyof typeof stateOf, text: string): Look {
  return { contents: { state: stateOf[code], trouble: text, backups: [], archived: null }, code };
}

export class Looking {
  readonly #invoker: Invoker;
  readonly #dataDirectory: string;

  /** `dataDirectory`: the node's own, whose identity counts. */
  constructor(invoker: Invoker, dataDirectory: string) {
    this.#invoker = invoker;
    this.#dataDirectory = dataDirectory;
  }

  async contents(options: ActOptions): Promise<RepositoryContents> {
    return (await this.#look(options)).contents;
  }

  /** Throws REPOSITORY_UNREACHABLE, REPOSITORY_FOREIGN, REPOSITORY_PASSPHRASE. */
  async own(options: ActOptions): Promise<RepositoryContents> {
    const bounds = { withinMs: Math.min(options.withinMs, lookWithinMs) };
    const { contents, code } = await this.#look({ ...options, ...bounds });
    if (code !== null) throw new UnderstudyError(code, contents.trouble ?? '');
    return contents;
  }

  /** Why, where the exit code alone does not say it. */
  async explain(
    doing: 'BACKUP_FAILED' | 'RESTORE_FAILED',
    result: CommandResult,
    options: ActOptions,
  ): Promise<UnderstudyError> {
    const plain = failure(doing, result);
    if (!isUnclear(result) || options.signal?.aborted === true) return plain;
    try {
      await this.own({ ...options, withinMs: lookWithinMs });
    } catch (error) {
      if (isUnderstudyError(error)) {
        return new UnderstudyError(error.code, `${plain.message}: ${describeError(error)}`);
      }
      throw error;
    }
    return plain;
  }

  async #look(options: ActOptions): Promise<Look> {
    let said: CommandResult;
    try {
      const asked = ['--output=json', `--io-timeout=${lookIoTimeoutS}`];
      said = await this.#invoker.run('info', asked, { ...options, wholeUpToBytes });
    } catch (error) {
      if (!isUnderstudyError(error, 'TIMEOUT')) throw error;
      return trouble('REPOSITORY_UNREACHABLE', 'the repository did not answer in time');
    }
    if (said.code !== 0) throw failure('BACKUP_FAILED', said);
    const info = parseInfo(said.stdout);
    if (info.state === 'failed') {
      const unreachable = await this.#unreachable(options);
      if (unreachable !== null) return trouble('REPOSITORY_UNREACHABLE', unreachable);
      return trouble('REPOSITORY_PASSPHRASE', `it can't be read with this passphrase: ${info.message}`);
    }
    const { state, backups, archived, systemIdentifier } = info;
    const own = systemIdentifierOf(this.#dataDirectory);
    if (systemIdentifier !== null && own !== null && systemIdentifier !== own) {
      const said = `it is of the cluster with system identifier ${systemIdentifier}, and this one has ${own}`;
      return trouble('REPOSITORY_FOREIGN', said);
    }
    return { contents: { state, trouble: null, backups, archived }, code: null };
  }

  /** `null`: it answers, and takes the credentials. Lists the place, for which no passphrase is needed. */
  async #unreachable(options: ActOptions): Promise<string | null> {
    try {
      const listed = await this.#invoker.run('repo-ls', [`--io-timeout=${lookIoTimeoutS}`], options);
      return listed.code === 0 ? null : messageOf(listed);
    } catch (error) {
      if (isUnderstudyError(error, 'TIMEOUT')) return 'the repository did not answer in time';
      throw error;
    }
  }
}
