/**
 * The configuration that the pooler is to have, and how much wider its pools are for now.
 *
 * Invariant: what is written is the last wanted configuration with the surplus of stranded connections on top
 * (stranded.ts). Loads nothing: pgbouncer reads its files when it is told to.
 */
import { pausable } from '../core/pooler-configuration.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { PoolerAlias, PoolerConfiguration, PoolerGate, ServerPlace } from '../ports/pooler.ts';
import type { PgbouncerFiles } from './files.ts';
import type { Surplus } from './stranded.ts';
import type { PgbouncerVersion } from './version.ts';

export class ConfigurationInForce {
  readonly #files: PgbouncerFiles;
  readonly #version: () => PgbouncerVersion;
  #wanted: PoolerConfiguration | null = null;
  /** By alias: places of its pool that connections to a lost server take. */
  #surplus: Surplus = new Map();

  /** `version` throws when it is not known yet. */
  constructor(files: PgbouncerFiles, version: () => PgbouncerVersion) {
    this.#files = files;
    this.#version = version;
  }

  get wanted(): PoolerConfiguration | null {
    return this.#wanted;
  }

  want(configuration: PoolerConfiguration): void {
    this.#wanted = configuration;
  }

  widen(surplus: Surplus): void {
    this.#surplus = surplus;
  }

  /** Answers whether pgbouncer has something new to read. Throws POOLER_FILES_FAILED, CONFIG_INVALID. */
  write(configuration: PoolerConfiguration, gate: PoolerGate): boolean {
    const aliases = configuration.aliases.map((alias) => {
      return { ...alias, poolSize: alias.poolSize + (this.#surplus.get(alias.name) ?? 0) };
    });
    try {
      return this.#files.write({ ...configuration, aliases }, gate, this.#version());
    } catch (cause) {
      if (isUnderstudyError(cause)) throw cause;
      throw new UnderstudyError('POOLER_FILES_FAILED', "the files of the pooler can't be written", { cause });
    }
  }

  /** As `write`, and answers POOLER_FILES_FAILED instead of throwing it. */
  writeOrFail(configuration: PoolerConfiguration): boolean | Error {
    try {
      return this.write(configuration, 'open');
    } catch (error) {
      if (isUnderstudyError(error, 'POOLER_FILES_FAILED')) return error;
      throw error;
    }
  }

  /** The aliases that a pause holds. */
  writing(): readonly PoolerAlias[] {
    return pausable(this.#wanted?.aliases ?? []);
  }

  /** The aliases of that node alone. */
  aliasesOfNode({ address, port }: ServerPlace): readonly string[] {
    const all = this.#wanted?.aliases ?? [];
    const its = all.filter((alias) => alias.ofOneNode && alias.addresses[0] === address && alias.port === port);
    return its.map(({ name }) => name);
  }

  /** Their names. */
  writeAliases(): readonly string[] {
    return this.writing().map((alias) => alias.name);
  }
}
