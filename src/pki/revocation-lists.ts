/**
 * The lists of revoked certificates on this node's disk: as they came from the store, and the one file of them that PostgreSQL reads.
 *
 * Invariant: the file is replaced as a whole, and named only while it is there, whole and of this time: PostgreSQL does not start
 * with any other, and would refuse everybody by one that lacks an authority. While nothing is revoked none is named. Without the
 * store the last lists that were heard of count.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RevocationListRecord } from '../core/revocation.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import { revocationList } from '../records/certificate-schema.ts';
import { bundleOf, listsOfRoots } from './revocation-list-reading.ts';

export interface RevocationListParts {
  readonly stateDirectory: string;
  readonly revoked: Pick<RevokedSerials, 'since'>;
  /** PEM, of now. */
  readonly rootsPem: () => string;
  /** Of roots, as an administrator laid them beside the roots: PEM, one after the other. `null`: none. */
  readonly besideRootsPem: () => string | null;
  /** Certificates that are in use, with their authorities', as far as this node knows any. */
  readonly chainsPem: () => readonly string[];
  /** Wall clock. */
  readonly nowMs: () => number;
}

const kept = z.array(revocationList);

export class RevocationLists {
  readonly #parts: RevocationListParts;
  readonly #memory: string;
  readonly #file: string;
  #records: readonly RevocationListRecord[];
  #trouble: string | null = null;

  constructor(parts: RevocationListParts) {
    this.#parts = parts;
    this.#memory = join(parts.stateDirectory, 'revocation-lists.json');
    this.#file = join(parts.stateDirectory, 'revoked.crl');
    this.#records = readKept(this.#memory);
  }

  /** Why PostgreSQL has no list although something is revoked. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** As the store has them now. */
  learn(records: readonly RevocationListRecord[]): void {
    const text = JSON.stringify(records);
    if (text === JSON.stringify(this.#records)) return;
    this.#records = records;
    try {
      replace(this.#memory, text);
    } catch {
      // On a full disk: only a start without the store would need it.
    }
  }

  /** PostgreSQL's `ssl_crl_file`; `null`: it is to have none. */
  file(): string | null {
    const { revoked, rootsPem, besideRootsPem, chainsPem, nowMs } = this.#parts;
    this.#trouble = null;
    if (revoked.since.size === 0) return null;
    try {
      const trust = { rootsPem: rootsPem(), chainsPem: chainsPem() };
      const records = [...this.#records, ...listsOfRoots(trust.rootsPem, besideRootsPem() ?? '')];
      const bundle = bundleOf(records, trust, nowMs());
      if (!bundle.ok) {
        this.#trouble = bundle.because;
        return null;
      }
      if (readText(this.#file) !== bundle.pem) replace(this.#file, bundle.pem);
      return this.#file;
    } catch (error) {
      this.#trouble = describeError(error);
      return null;
    }
  }
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // it is written anew
  }
}

function readKept(file: string): readonly RevocationListRecord[] {
  try {
    return kept.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return []; // nothing was ever heard of, or it comes from the store again
  }
}
