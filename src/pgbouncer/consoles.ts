/**
 * The connections to pgbouncer's console, kept open: opening one costs more than a command.
 *
 * One is for commands. A `PAUSE alias` that waits for its drain holds up its connection, so each alias has one of its
 * own for that, and the drains overlap: pgbouncer answers all of them when no paused alias has a busy server connection
 * left (admin_pause_done in its source, 1.18 to 1.24). A waiting PAUSE is never answered once the alias is resumed;
 * its connection is closed instead.
 */
import type { ActOptions } from '../ports/postgres.ts';
import { Console, type ConsoleAddress } from './console.ts';

export class Consoles {
  #address: ConsoleAddress;
  #main: Console | null = null;
  readonly #pausing = new Map<string, Console>();
  readonly #onLost: () => void;

  constructor(address: ConsoleAddress, onLost: () => void) {
    this.#address = address;
    this.#onLost = onLost;
  }

  get isOpen(): boolean {
    return this.#main?.isOpen === true;
  }

  /** The port may change with the configuration. */
  moveTo(address: ConsoleAddress): void {
    if (address.port === this.#address.port && address.socketDirectory === this.#address.socketDirectory) return;
    this.close();
    this.#address = address;
  }

  async main(options: ActOptions): Promise<Console> {
    if (this.#main?.isOpen === true) return this.#main;
    const opened = await Console.open(this.#address, options);
    this.#main = opened;
    opened.onEnd(() => {
      // Closed by ourselves: `close` forgets it first.
      if (this.#main === opened) this.#onLost();
    });
    return opened;
  }

  async forPausing(alias: string, options: ActOptions): Promise<Console> {
    const kept = this.#pausing.get(alias);
    if (kept?.isOpen === true) return kept;
    const opened = await Console.open(this.#address, options);
    this.#pausing.set(alias, opened);
    return opened;
  }

  /** Opens what the next pause needs, and closes those of aliases that are gone. */
  async prepare(aliases: readonly string[], options: ActOptions): Promise<void> {
    for (const [alias, console] of this.#pausing) {
      if (aliases.includes(alias)) continue;
      this.#pausing.delete(alias);
      console.close();
    }
    await Promise.all(aliases.map(async (alias) => await this.forPausing(alias, options)));
  }

  /** Ends the PAUSE commands that still wait. */
  dropPausing(): void {
    for (const console of this.#pausing.values()) console.close();
    this.#pausing.clear();
  }

  close(): void {
    const main = this.#main;
    this.#main = null;
    main?.close();
    this.dropPausing();
  }
}
