/**
 * The certificates that this agent knows to be revoked, also on its disk: one that starts while nobody answers obeys what it
 * heard last.
 *
 * Invariant: it only learns. What was heard once stays, whatever an agent that lags, or a store that was restored, says later;
 * until the certificate could do nothing any more. A file that can't be read is as good as none: all is told anew.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { forgettableRevocations, type RevokedEntry, rememberedRevokedForMs } from '../core/revocation.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import { revocation } from '../records/certificate-schema.ts';

export const revokedEntries = z.array(revocation.pick({ serial: true, kind: true, at: true, expiresAt: true }));

export class RevokedCertificates implements RevokedSerials {
  readonly #file: string;
  /** Wall clock. */
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #known: ReadonlyMap<string, RevokedEntry>;
  #since: ReadonlyMap<string, number> = new Map();
  #isWritten = true;

  constructor(stateDirectory: string, now: () => number) {
    this.#file = join(stateDirectory, 'revoked.json');
    this.#now = now;
    this.#known = new Map(readKept(this.#file).map((entry) => [entry.serial, entry]));
    this.#since = sinceOf(this.#known);
  }

  get since(): ReadonlyMap<string, number> {
    return this.#since;
  }

  has(serial: string): boolean {
    return this.#known.has(serial);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  learn(entries: Iterable<RevokedEntry>): void {
    const fresh = [...entries].filter(({ serial }) => !this.#known.has(serial));
    if (fresh.length === 0 && this.#isWritten) return;
    const all = [...this.#known.values(), ...fresh];
    const gone = new Set(forgettableRevocations(all, new Date(this.#now() - rememberedRevokedForMs).toISOString()));
    // What is of no more use in the store either comes again and again until it is removed there.
    const isNews = fresh.some(({ serial }) => !gone.has(serial));
    if (!isNews && this.#isWritten) return;
    this.#known = new Map(all.filter(({ serial }) => !gone.has(serial)).map((entry) => [entry.serial, entry]));
    this.#since = sinceOf(this.#known);
    this.#isWritten = this.#keep();
    if (isNews) for (const listener of this.#listeners) listener();
  }

  /** On a full disk it is tried again when it is told again. */
  #keep(): boolean {
    const kept = [...this.#known.values()].map(({ serial, kind, at, expiresAt }) => ({ serial, kind, at, expiresAt }));
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(kept), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
      return true;
    } catch {
      return false;
    }
  }
}

function sinceOf(known: ReadonlyMap<string, RevokedEntry>): ReadonlyMap<string, number> {
  return new Map([...known.values()].map(({ serial, at }) => [serial, Date.parse(at)]));
}

function readKept(file: string): readonly RevokedEntry[] {
  try {
    return revokedEntries.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return []; // the first start, or told anew as above
  }
}
