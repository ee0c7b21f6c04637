/**
 * What this agent knows of its node's pgbouncer process: which program, of which version, and which process runs.
 *
 * Invariant: a process that is taken for running was alive, and of our own configuration file, at the last look. Starts
 * and ends nothing; see start.ts and daemon-process.ts.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { isAlive, type ProcessIdentity } from '../process/identity.ts';
import { findProcess, type ProcessPlaces } from './daemon-process.ts';
import { findPgbouncer, type PgbouncerVersion, readVersion } from './version.ts';

export class OwnProcess {
  readonly places: ProcessPlaces;
  /** From the node file; `null`: found in the usual places. */
  readonly #named: string | null;
  #version: PgbouncerVersion | null = null;
  #running: ProcessIdentity | null = null;

  constructor(places: ProcessPlaces, named: string | null) {
    this.places = places;
    this.#named = named;
  }

  get running(): ProcessIdentity | null {
    return this.#running;
  }

  get version(): PgbouncerVersion | null {
    return this.#version;
  }

  look(): void {
    if (this.#running !== null && isAlive(this.#running)) return;
    this.#running = findProcess(this.places);
  }

  began(process: ProcessIdentity): void {
    this.#running = process;
  }

  /** It is about to be ended. */
  letGo(): ProcessIdentity | null {
    const running = this.#running;
    this.#running = null;
    return running;
  }

  program(): string | null {
    return findPgbouncer(this.#named);
  }

  whyMissing(): string {
    return this.#named === null ? 'no pgbouncer is installed' : `${this.#named} can't be executed`;
  }

  /** Throws POOLER_BINARIES_MISSING. */
  requireProgram(): string {
    const program = this.program();
    if (program === null) throw new UnderstudyError('POOLER_BINARIES_MISSING', this.whyMissing());
    return program;
  }

  /** Of the program that is installed now. Throws POOLER_BINARIES_MISSING, POOLER_FAILED. */
  async learnVersion(withinMs: number): Promise<PgbouncerVersion> {
    this.#version = await readVersion(this.requireProgram(), withinMs);
    return this.#version;
  }

  /** Throws POOLER_FAILED before the first configuration. */
  requireVersion(): PgbouncerVersion {
    if (this.#version !== null) return this.#version;
    throw new UnderstudyError('POOLER_FAILED', 'the version of pgbouncer is not known yet');
  }
}
