/**
 * The pooler beside an application: one pgbouncer process, its files, and its console.
 *
 * Invariant: a process that has to be started while writes are held comes up paused: its first configuration leads
 * writing aliases nowhere, and the real addresses follow once pgbouncer has confirmed the pause.
 * The process outlives the agent. What it refuses: to touch a process that is not of its own configuration file.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pausable } from '../core/pooler-configuration.ts';
import type { PauseFigures, PoolerBlocker } from '../core/pooler-report.ts';
import type { ReachAnswer } from '../core/rules/pooler-memory.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type {
  HoldOptions,
  LocalPooler,
  Pooler,
  PoolerAlias,
  PoolerConfiguration,
  PoolerGate,
  ResumeOptions,
  ServerPlace,
} from '../ports/pooler.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { isAlive, type ProcessIdentity } from '../process/identity.ts';
import { quoteName } from './console.ts';
import { Consoles } from './consoles.ts';
import {
  awaitAnswer,
  endProcess,
  findProcess,
  type ProcessPlaces,
  requireFreePort,
  startProcess,
} from './daemon-process.ts';
import { drain, letLoginsFinish } from './drain.ts';
import { PgbouncerFiles, type PgbouncerPlaces } from './files.ts';
import { holdAliases } from './hold.ts';
import { knock } from './knock.ts';
import { watchLog } from './log-watch.ts';
import { PauseAccount } from './pause-account.ts';
import { leadsTo, resumeAlias, verifyResumed } from './resume.ts';
import { countStranded, endStranded, type Surplus } from './stranded.ts';
import { findPgbouncer, type PgbouncerVersion, readVersion } from './version.ts';
import { showDatabases, showPools } from './views.ts';

const consoleWithinMs = 1_000;

export class Pgbouncer implements Pooler {
  readonly #places: PgbouncerPlaces;
  readonly #process: ProcessPlaces;
  readonly #files: PgbouncerFiles;
  readonly #listeners = new Set<() => void>();
  #consoles: Consoles | null = null;
  #version: PgbouncerVersion | null = null;
  #running: ProcessIdentity | null = null;
  #configuration: PoolerConfiguration | null = null;
  readonly #account = new PauseAccount();
  /** PAUSE commands may still be waiting for connections that never come back. */
  #isHolding = false;
  readonly #stirred = new Set<() => void>();
  #unwatch: (() => void) | null = null;
  /** By alias: places of its pool that connections to a lost server take. */
  #surplus: Surplus = new Map();
  #isClosed = false;

  constructor(places: PgbouncerPlaces) {
    const directory = join(places.state, 'pgbouncer');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    mkdirSync(places.run, { recursive: true });
    mkdirSync(places.log, { recursive: true });
    this.#places = places;
    this.#process = {
      configurationFile: join(directory, 'pgbouncer.ini'),
      directory,
      pidFile: join(places.run, 'pgbouncer.pid'),
      logFile: join(places.log, 'pgbouncer.log'),
    };
    this.#files = new PgbouncerFiles(places, this.#process);
  }

  async observe(withinMs: number): Promise<LocalPooler> {
    const program = findPgbouncer(this.#places.program);
    this.#find();
    if (this.#running === null) {
      if (program === null) return { state: 'missing-binaries', because: this.#missing() };
      return { state: 'stopped' };
    }
    if (this.#consoles === null) return { state: 'unknown', because: 'it runs, and its port is not known yet' };
    try {
      const console = await this.#consoles.main({ withinMs });
      const options = { withinMs };
      const [databases, pools] = await Promise.all([showDatabases(console, options), showPools(console, options)]);
      return {
        state: 'running',
        pid: this.#running.pid,
        version: this.#version?.text ?? 'unknown',
        paused: databases.filter((database) => database.paused).map((database) => database.name),
        clients: pools.reduce((sum, pool) => sum + pool.clients, 0),
        waiting: pools.reduce((sum, pool) => sum + pool.waiting, 0),
      };
    } catch (error) {
      return isAlive(this.#running) ? { state: 'unknown', because: describeError(error) } : { state: 'stopped' };
    }
  }

  async configure(configuration: PoolerConfiguration, gate: PoolerGate, options: ActOptions): Promise<boolean> {
    const program = this.#program();
    this.#version ??= await readVersion(program, options.withinMs);
    const consoles = this.#consolesFor(configuration);
    const isAdopted = this.#configuration === null;
    this.#configuration = configuration;
    this.#find();
    // Where it listens can't be reloaded: its clients are dropped for the new place.
    if (this.#running !== null && this.#files.isElsewhere(configuration)) {
      const moved = this.#running;
      this.#running = null;
      await endProcess(moved, this.#version, options);
    }
    if (this.#running === null) {
      await this.#start(program, configuration, gate, options);
      await consoles.prepare(this.#writeAliases(), options);
      return true;
    }
    const console = await consoles.main(options);
    // They hold up nobody as they are; a pool that is narrowed by a new agent would have no place for others.
    if (isAdopted) this.#surplus = await countStranded(console, this.#writeAliases());
    const changed = this.#write(configuration, 'open');
    const isLoaded = !changed && leadsTo(configuration, await showDatabases(console, options));
    if (!isLoaded) {
      // A reload cuts logins short where the address changes, with the same harm as a pause (see drain.ts).
      await letLoginsFinish(console, configuration.aliases, options);
      await console.query('RELOAD', options);
    } else if (isAdopted) {
      // An agent that died in the wrong moment may have left it (stranded.ts); a reload would have taken it away.
      await console.query("SET query_timeout = '0'", options);
    }
    await consoles.prepare(this.#writeAliases(), options);
    return !isLoaded;
  }

  async pause(
    onBlockers: (blockers: readonly PoolerBlocker[]) => void,
    options: ActOptions,
  ): Promise<{ readonly drainMs: number }> {
    const consoles = this.#requireConsoles();
    const sinceMs = performance.now();
    try {
      await drain(consoles, this.#writing(), onBlockers, options);
    } catch (error) {
      await this.#afterFailedPause(consoles);
      throw error;
    }
    const drainMs = performance.now() - sinceMs;
    this.#account.drained(consoles, this.#writeAliases(), sinceMs);
    return { drainMs };
  }

  async hold(configuration: PoolerConfiguration, options: HoldOptions): Promise<void> {
    const consoles = this.#requireConsoles();
    const before = this.#isHolding ? this.#writeAliases() : [];
    this.#configuration = configuration;
    this.#isHolding = true;
    const held = this.#writeAliases();
    const released = before.filter((alias) => !held.includes(alias));
    try {
      const changed = this.#write(configuration, 'open');
      await holdAliases(consoles, held, options);
      if (changed) await (await consoles.main(options)).query('RELOAD', options);
      // Those that a standby serves from now on; their PAUSE may still be waiting.
      if (released.length > 0) consoles.dropPausing();
      await Promise.all(released.map(async (alias) => await resumeAlias(consoles, alias, options)));
    } catch (error) {
      await this.#afterFailedPause(consoles);
      throw error;
    }
  }

  async abandon(former: ServerPlace | null, signal: AbortSignal): Promise<number> {
    return await endStranded({
      former,
      aliases: () => this.#writeAliases(),
      console: async () => await this.#requireConsoles().main({ withinMs: consoleWithinMs }),
      widen: async (surplus) => {
        this.#surplus = surplus;
        if (this.#configuration === null || this.#isClosed) return;
        const console = await this.#requireConsoles().main({ withinMs: consoleWithinMs });
        if (this.#write(this.#configuration, 'open')) await console.query('RELOAD', { withinMs: consoleWithinMs });
      },
      signal,
    });
  }

  async reach(address: string, port: number, withinMs: number): Promise<ReachAnswer> {
    return await knock(address, port, withinMs);
  }

  onStir(listener: () => void): () => void {
    this.#stirred.add(listener);
    this.#unwatch ??= watchLog(this.#process.logFile, () => {
      for (const heard of this.#stirred) heard();
    });
    return () => this.#stirred.delete(listener);
  }

  async resume(
    configuration: PoolerConfiguration,
    options: ResumeOptions,
  ): Promise<Omit<PauseFigures, 'operation' | 'drainMs'>> {
    const consoles = this.#requireConsoles();
    if (this.#isHolding) consoles.dropPausing();
    this.#isHolding = false;
    const console = await consoles.main(options);
    const aliases = this.#writeAliases();
    this.#configuration = configuration;
    const changed = this.#writeOrFail(configuration);
    if (changed instanceof Error && !options.isOverdue) throw changed;
    // Clients wait until the first login at the new server, so that it need not be seen before RESUME.
    const ending = this.#account.ending(consoles, aliases);
    if (changed === true) await console.query('RELOAD', options);
    await Promise.all(aliases.map(async (alias) => await resumeAlias(consoles, alias, options)));
    if (changed instanceof Error) throw changed;
    const figures = ending.figures(configuration);
    await verifyResumed(consoles, configuration, options);
    this.#account.forget();
    consoles.prepare(this.#writeAliases(), options).catch(() => {
      // They are opened by the next pause then.
    });
    return await figures;
  }

  onLost(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(options: ActOptions): Promise<void> {
    this.#find();
    const running = this.#running;
    this.#consoles?.close();
    this.#running = null;
    this.#account.forget();
    if (running === null) return;
    this.#version ??= await readVersion(this.#program(), options.withinMs);
    await endProcess(running, this.#version, options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#stirred.clear();
    this.#unwatch?.();
    this.#consoles?.close();
  }

  #missing(): string {
    const named = this.#places.program;
    return named === null ? 'no pgbouncer is installed' : `${named} can't be executed`;
  }

  #program(): string {
    const program = findPgbouncer(this.#places.program);
    if (program === null) throw new UnderstudyError('POOLER_BINARIES_MISSING', this.#missing());
    return program;
  }

  #find(): void {
    if (this.#running !== null && isAlive(this.#running)) return;
    this.#running = findProcess(this.#process);
  }

  #consolesFor(configuration: PoolerConfiguration): Consoles {
    const address = { socketDirectory: this.#places.run, port: configuration.port };
    this.#consoles ??= new Consoles(address, () => this.#lost());
    this.#consoles.moveTo(address);
    return this.#consoles;
  }

  #knownVersion(): PgbouncerVersion {
    if (this.#version !== null) return this.#version;
    throw new UnderstudyError('POOLER_FAILED', 'the version of pgbouncer is not known yet');
  }

  #requireConsoles(): Consoles {
    if (this.#consoles !== null) return this.#consoles;
    throw new UnderstudyError('POOLER_FAILED', 'the pooler was not configured yet');
  }

  #lost(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Answers whether pgbouncer has something new to read. */
  #write(configuration: PoolerConfiguration, gate: PoolerGate): boolean {
    const aliases = configuration.aliases.map((alias) => {
      return { ...alias, poolSize: alias.poolSize + (this.#surplus.get(alias.name) ?? 0) };
    });
    try {
      return this.#files.write({ ...configuration, aliases }, gate, this.#knownVersion());
    } catch (cause) {
      if (isUnderstudyError(cause)) throw cause;
      throw new UnderstudyError('POOLER_FILES_FAILED', "the files of the pooler can't be written", { cause });
    }
  }

  #writeOrFail(configuration: PoolerConfiguration): boolean | Error {
    try {
      return this.#write(configuration, 'open');
    } catch (error) {
      if (isUnderstudyError(error, 'POOLER_FILES_FAILED')) return error;
      throw error;
    }
  }

  #writing(): readonly PoolerAlias[] {
    return pausable(this.#configuration?.aliases ?? []);
  }

  #writeAliases(): readonly string[] {
    return this.#writing().map((alias) => alias.name);
  }

  async #start(
    program: string,
    configuration: PoolerConfiguration,
    gate: PoolerGate,
    options: ActOptions,
  ): Promise<void> {
    await requireFreePort(configuration.listenAddress, configuration.port);
    this.#write(configuration, gate);
    const daemon = await startProcess(program, this.#process);
    const consoles = this.#requireConsoles();
    const console = await awaitAnswer(
      daemon,
      this.#process,
      async (withinMs) => await consoles.main({ ...options, withinMs }),
      options,
    );
    this.#running = daemon;
    if (gate === 'open') return;
    await Promise.all(
      this.#writeAliases().map(async (alias) => await console.query(`PAUSE ${quoteName(alias)}`, options)),
    );
    this.#write(configuration, 'open');
    await console.query('RELOAD', options);
  }

  /** Nothing may stay paused after a failed pause, whatever is left of the time. */
  async #afterFailedPause(consoles: Consoles): Promise<void> {
    consoles.dropPausing();
    this.#isHolding = false;
    // Let go in the middle of a drain: whoever takes over decides.
    if (this.#isClosed) return;
    const options = { withinMs: 1_000 };
    try {
      const console = await consoles.main(options);
      const paused = (await showDatabases(console, options)).filter((database) => database.paused);
      await Promise.all(paused.map(async (database) => await resumeAlias(consoles, database.name, options)));
    } catch (cause) {
      // The pooler itself is lost: its pause state is gone with it, or the caller sees it paused at its next look.
      throw new UnderstudyError('POOLER_FAILED', 'pgbouncer was lost while it drained', { cause });
    }
    this.#account.forget();
  }
}
