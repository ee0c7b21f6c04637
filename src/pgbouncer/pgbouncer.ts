/**
 * The pooler beside an application, behind the port that the agent acts through: puts one pgbouncer process, its files and
 * its console together, and keeps what outlives one call.
 *
 * Invariant: after a pause or a hold that failed nothing stays paused, and one that starts while writes are held comes up
 * paused (start.ts). The process outlives the agent. What it refuses: to touch a process that is not of its own
 * configuration file.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PauseFigures, PoolerBlocker } from '../core/pooler-report.ts';
import type { ReachAnswer } from '../core/rules/pooler-memory.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
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
import { ClientPasswords } from './client-passwords.ts';
import { ConfigurationInForce } from './configuration-in-force.ts';
import { Consoles } from './consoles.ts';
import { endProcess } from './daemon-process.ts';
import { drain, letLoginsFinish } from './drain.ts';
import { PgbouncerFiles, type PgbouncerPlaces } from './files.ts';
import { holdAliases } from './hold.ts';
import { knock } from './knock.ts';
import { watchLog } from './log-watch.ts';
import { observePooler } from './observation.ts';
import { OwnProcess } from './own-process.ts';
import { PauseAccount } from './pause-account.ts';
import { leadsTo, resumeAlias, verifyResumed } from './resume.ts';
import { startPooler } from './start.ts';
import { countStranded, endStranded } from './stranded.ts';
import { showDatabases } from './views.ts';

const consoleWithinMs = 1_000;

export class Pgbouncer implements Pooler {
  readonly #places: PgbouncerPlaces;
  readonly #own: OwnProcess;
  readonly #files: PgbouncerFiles;
  /** By which its clients log in. */
  readonly passwords: ClientPasswords;
  readonly #inForce: ConfigurationInForce;
  readonly #listeners = new Set<() => void>();
  #consoles: Consoles | null = null;
  readonly #account = new PauseAccount();
  /** PAUSE commands may still be waiting for connections that never come back. */
  #isHolding = false;
  readonly #stirred = new Set<() => void>();
  #unwatch: (() => void) | null = null;
  #isClosed = false;

  constructor(places: PgbouncerPlaces) {
    const directory = join(places.state, 'pgbouncer');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    mkdirSync(places.run, { recursive: true });
    mkdirSync(places.log, { recursive: true });
    this.#places = places;
    const process = {
      configurationFile: join(directory, 'pgbouncer.ini'),
      directory,
      pidFile: join(places.run, 'pgbouncer.pid'),
      logFile: join(places.log, 'pgbouncer.log'),
    };
    this.#own = new OwnProcess(process, places.program);
    this.passwords = new ClientPasswords(places.state);
    this.#files = new PgbouncerFiles(places, process, this.passwords);
    this.#inForce = new ConfigurationInForce(this.#files, () => this.#own.requireVersion());
  }

  async observe(withinMs: number): Promise<LocalPooler> {
    return await observePooler(this.#own, this.#consoles, this.passwords.formerUsers(), withinMs);
  }

  async configure(configuration: PoolerConfiguration, gate: PoolerGate, options: ActOptions): Promise<boolean> {
    const own = this.#own;
    const program = own.requireProgram();
    const version = own.version ?? (await own.learnVersion(options.withinMs));
    const consoles = this.#consolesFor(configuration);
    const inForce = this.#inForce;
    const isAdopted = inForce.wanted === null;
    inForce.want(configuration);
    own.look();
    // Where it listens can't be reloaded: its clients are dropped for the new place.
    if (own.running !== null && this.#files.isElsewhere(configuration)) {
      const moved = own.running;
      own.letGo();
      await endProcess(moved, version, options);
    }
    if (own.running === null) {
      await startPooler({ own, inForce, consoles }, program, configuration, gate, options);
      await consoles.prepare(inForce.writeAliases(), options);
      return true;
    }
    const console = await consoles.main(options);
    // They hold up nobody as they are; a pool that is narrowed by a new agent would have no place for others.
    if (isAdopted) inForce.widen(await countStranded(console, inForce.writeAliases()));
    const changed = inForce.write(configuration, 'open');
    const isLoaded = !changed && leadsTo(configuration, await showDatabases(console, options));
    if (!isLoaded) {
      // A reload cuts logins short where the address changes, with the same harm as a pause (see drain.ts).
      await letLoginsFinish(console, patientOf(configuration), options);
      await console.query('RELOAD', options);
    } else if (isAdopted) {
      // An agent that died in the wrong moment may have left it (stranded.ts); a reload would have taken it away.
      await console.query("SET query_timeout = '0'", options);
    }
    await consoles.prepare(inForce.writeAliases(), options);
    return !isLoaded;
  }

  async pause(
    onBlockers: (blockers: readonly PoolerBlocker[]) => void,
    options: ActOptions,
  ): Promise<{ readonly drainMs: number }> {
    const consoles = this.#requireConsoles();
    const sinceMs = performance.now();
    try {
      await drain(consoles, this.#inForce.writing(), onBlockers, options);
    } catch (error) {
      await this.#afterFailedPause(consoles);
      throw error;
    }
    const drainMs = performance.now() - sinceMs;
    this.#account.drained(consoles, this.#inForce.writeAliases(), sinceMs);
    return { drainMs };
  }

  async hold(configuration: PoolerConfiguration, options: HoldOptions): Promise<void> {
    const consoles = this.#requireConsoles();
    const before = this.#isHolding ? this.#inForce.writeAliases() : [];
    this.#inForce.want(configuration);
    this.#isHolding = true;
    const held = this.#inForce.writeAliases();
    const released = before.filter((alias) => !held.includes(alias));
    try {
      const changed = this.#inForce.write(configuration, 'open');
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
      aliases: () => this.#inForce.writeAliases(),
      ofItsOwn: () => (former === null ? [] : this.#inForce.aliasesOfNode(former)),
      console: async () => await this.#requireConsoles().main({ withinMs: consoleWithinMs }),
      widen: async (surplus) => {
        const inForce = this.#inForce;
        inForce.widen(surplus);
        if (inForce.wanted === null || this.#isClosed) return;
        const console = await this.#requireConsoles().main({ withinMs: consoleWithinMs });
        if (inForce.write(inForce.wanted, 'open')) await console.query('RELOAD', { withinMs: consoleWithinMs });
      },
      signal,
    });
  }

  async renewCertificate(options: ActOptions): Promise<void> {
    const { wanted } = this.#inForce;
    this.#own.look();
    if (wanted === null || this.#own.running === null) return; // it reads them when it starts
    const console = await this.#requireConsoles().main(options);
    await letLoginsFinish(console, patientOf(wanted), options);
    await console.query('RELOAD', options);
  }

  async reach(address: string, port: number, withinMs: number): Promise<ReachAnswer> {
    return await knock(address, port, withinMs);
  }

  onStir(listener: () => void): () => void {
    this.#stirred.add(listener);
    this.#unwatch ??= watchLog(this.#own.places.logFile, () => {
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
    const aliases = this.#inForce.writeAliases();
    this.#inForce.want(configuration);
    const changed = this.#inForce.writeOrFail(configuration);
    if (changed instanceof Error && !options.isOverdue) throw changed;
    // Clients wait until the first login at the new server, so that it need not be seen before RESUME.
    const ending = this.#account.ending(consoles, aliases);
    if (changed === true) await console.query('RELOAD', options);
    await Promise.all(aliases.map(async (alias) => await resumeAlias(consoles, alias, options)));
    if (changed instanceof Error) throw changed;
    const figures = ending.figures(configuration);
    await verifyResumed(consoles, configuration, options);
    this.#account.forget();
    consoles.prepare(this.#inForce.writeAliases(), options).catch(() => {
      // They are opened by the next pause then.
    });
    return await figures;
  }

  onLost(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(options: ActOptions): Promise<void> {
    const own = this.#own;
    own.look();
    this.#consoles?.close();
    const running = own.letGo();
    this.#account.forget();
    if (running === null) return;
    const version = own.version ?? (await own.learnVersion(options.withinMs));
    await endProcess(running, version, options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    this.#stirred.clear();
    this.#unwatch?.();
    this.#consoles?.close();
  }

  #consolesFor(configuration: PoolerConfiguration): Consoles {
    const address = { socketDirectory: this.#places.run, port: configuration.port };
    this.#consoles ??= new Consoles(address, () => this.#lost());
    this.#consoles.moveTo(address);
    return this.#consoles;
  }

  #requireConsoles(): Consoles {
    if (this.#consoles !== null) return this.#consoles;
    throw new UnderstudyError('POOLER_FAILED', 'the pooler was not configured yet');
  }

  #lost(): void {
    for (const listener of this.#listeners) listener();
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

/** A node that is gone may have somebody log in to it all the time. */
function patientOf({ aliases }: PoolerConfiguration): readonly PoolerAlias[] {
  return aliases.filter((alias) => !alias.ofOneNode);
}
