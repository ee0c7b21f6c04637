/**
 * What this agent has put where, for the next one: by it a certificate is known to be whole, of the declared form, and taken up.
 *
 * Invariant: an entry is written after the files that it speaks of, and goes before them, so that no half-written set passes
 * for a whole one. There are no secrets in it.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const print = z.object({ ino: z.number(), mtimeMs: z.number(), ctimeMs: z.number() });
const entry = z.object({
  name: z.string(),
  directory: z.string(),
  serial: z.string(),
  /** Owner, group and mode as they were declared. */
  form: z.string(),
  prints: z.record(z.string(), print),
  isTakenUp: z.boolean(),
});
const document = z.array(entry);

export type PlacedEntry = z.infer<typeof entry>;

export class PlacedRecord {
  readonly #file: string;
  #entries: readonly PlacedEntry[];

  constructor(file: string) {
    this.#file = file;
    this.#entries = readEntries(file);
  }

  all(): readonly PlacedEntry[] {
    return this.#entries;
  }

  of(name: string): PlacedEntry | undefined {
    return this.#entries.find((one) => one.name === name);
  }

  write(next: PlacedEntry): void {
    this.#keep([...this.#entries.filter(({ name }) => name !== next.name), next]);
  }

  forget(name: string): void {
    if (this.of(name) !== undefined) this.#keep(this.#entries.filter((one) => one.name !== name));
  }

  #keep(entries: readonly PlacedEntry[]): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(entries), { mode: 0o600, flush: true });
    renameSync(`${this.#file}.new`, this.#file);
    this.#entries = entries;
  }
}

/** One that can't be read is none: everything is made anew, and nothing is taken away. */
function readEntries(file: string): readonly PlacedEntry[] {
  try {
    return document.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}
