/**
 * The roots that a node trusts, in the files that its node file names, and the last statement that was taken over.
 *
 * Invariant: a file that holds another authority's certificates, such as that of a store of one's own, is left as it is. The
 * statement is remembered after the files are written: what a crash cut short is done again.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { TrustStatement } from '../core/trust-record.ts';
import type { RootFiles } from '../ports/trust.ts';
import { replaceFile } from './credential-files.ts';
import { areAmong, judgeTrust, rootOf } from './trust-statement.ts';

export interface RootPlaces {
  readonly cluster: string;
  /** The file that all others are compared with. */
  readonly roots: string;
  readonly others: readonly string[];
  /** Where the last statement is remembered. */
  readonly memory: string;
  /** Chains of this node's own certificates, by what they are for. */
  readonly chains: Readonly<Record<string, string>>;
}

const remembered = z.object({ number: z.int().positive(), rootsPem: z.string(), issueFrom: z.string() });

export function rootFiles(places: RootPlaces): RootFiles {
  const { chains, cluster, memory, others, roots } = places;
  let taken: TrustStatement | null = read(memory);
  return {
    taken: () => taken,
    judge: (record) => judgeTrust(record, { cluster, rootsPem: readFileSync(roots, 'utf8') }),
    orphans: (rootsPem) =>
      Object.entries(chains)
        .filter(([, path]) => rootOf(readFileSync(path, 'utf8'), rootsPem) === null)
        .map(([purpose]) => purpose),
    async put(statement) {
      const before = readFileSync(roots, 'utf8');
      const ours = others.filter((path) => path !== roots && areAmong(readFileSync(path, 'utf8'), before));
      for (const path of [...ours, roots]) await replaceFile(path, statement.rootsPem, 0o644, null);
      await replaceFile(memory, JSON.stringify(statement), 0o600, null);
      taken = statement;
    },
  };
}

function read(memory: string): TrustStatement | null {
  try {
    return remembered.parse(JSON.parse(readFileSync(memory, 'utf8')));
  } catch {
    return null; // nothing was taken over yet; else it is told again
  }
}
