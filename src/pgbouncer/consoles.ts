/**
 * The connections to pgbouncer's console, kept open: opening one costs more than a command.
 *
 * One is for commands. A `PAUSE alias` that waits for its drain holds up its connection, so each alias has one of its
 * own for that, and the drains overlap: pgbouncer answers all of them when no paused alias has a busy server connection
 * left (admin_pause_done in its source, 1.18 to 1.24). A waiting PAUSE is never answered once the alias is resumed;
 * its connection is closed instead.
 */
import type { ActOptions } from '../ports/postgres.ts';
import { bounded, Console, type ConsoleAddress } from './console.ts';

/** Of an opening, whoever waits for it and for how long: several may. */
const openWithinMs = 5_000;

/**
 * One connection from the moment at which somebody asks for it: who asks while it is being opened gets the same one.
 * What finishes after it was closed is closed, too.
 */
class Line {
  readonly #opening: Promise<Console>;
  readonly #cancel = new AbortController();
  #console: Console | null = null;
  #isOver = false;

  constructor(address: ConsoleAddress, onEnd: (line: Line) => void) {
    this.#opening = Console.open(address, { withinMs: openWithinMs, signal: this.#cancel.signal });
    this.#opening.then(
      (console) => {
        this.#console = console;
        if (this.#isOver) console.close();
        else console.onEnd(() => onEnd(this));
      },
      () => {
        this.#isOver = true;
      },
    );
  }

  get isOver(): boolean {
    return this.#isOver || this.#console?.isOpen === false;
  }

  /** Throws POOLER_FAILED, POOLER_TIMEOUT. */
  async console(options: ActOptions): Promise<Console> {
    return this.#console ?? (await bounded('connecting to its console', this.#opening, options, () => undefined));
  }

  close(): void {
    this.#isOver = true;
    this.#cancel.abort();
    this.#console?.close();
  }
}

export class Consoles {
  #address: ConsoleAddress;
  #main: Line | null = null;
  readonly #pausing = new Map<string, Line>();
  readonly #onLost: () => void;

  constructor(address: ConsoleAddress, onLost: () => void) {
    this.#address = address;
    this.#onLost = onLost;
  }

  /** The port may change with the configuration. */
  moveTo(address: ConsoleAddress): void {
    if (address.port === this.#address.port && address.socketDirectory === this.#address.socketDirectory) return;
    this.close();
    this.#address = address;
  }

  async main(options: ActOptions): Promise<Console> {
    if (this.#main === null || this.#main.isOver) {
      this.#main = new Line(this.#address, (line) => {
        // Closed by ourselves: `close` forgets it first.
        if (this.#main === line) this.#onLost();
      });
    }
    return await this.#main.console(options);
  }

  async forPausing(alias: string, options: ActOptions): Promise<Console> {
    const kept = this.#pausing.get(alias);
    const line = kept === undefined || kept.isOver ? new Line(this.#address, () => undefined) : kept;
    this.#pausing.set(alias, line);
    return await line.console(options);
  }

  /** Opens what the next pause needs, and closes those of aliases that are gone. */
  async prepare(aliases: readonly string[], options: ActOptions): Promise<void> {
    for (const [alias, line] of this.#pausing) {
      if (aliases.includes(alias)) continue;
      this.#pausing.delete(alias);
      line.close();
    }
    await Promise.all(aliases.map(async (alias) => await this.forPausing(alias, options)));
  }

  /** Ends the PAUSE commands that still wait. */
  dropPausing(): void {
    for (const line of this.#pausing.values()) line.close();
    this.#pausing.clear();
  }

  close(): void {
    const main = this.#main;
    this.#main = null;
    main?.close();
    this.dropPausing();
  }
}
