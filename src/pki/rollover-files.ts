/**
 * A rollover in the directory of an authority: the next one lies in `next/` until it takes the place of the former one, which
 * goes to `former/`, in the place of an earlier one.
 *
 * Invariant: the passphrase is the same. Each step may be interrupted and done again: what is on its way from `finishing/` to its
 * place is moved on first.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority, Root } from './authority.ts';
import { foundAuthority } from './authority-files.ts';
import { openRoot } from './authority-renewal.ts';
import { decryptKey } from './encrypted-key.ts';

const names = ['root.crt', 'root.crl', 'issuing.crt', 'issuing.key', 'root.key'] as const;

export function nextDirectory(directory: string): string {
  return join(directory, 'next');
}

function finishingDirectory(directory: string): string {
  return join(directory, 'finishing');
}

/** Did an interruption come while the next one took its place? */
export function isBeingFinished(directory: string): boolean {
  return existsSync(finishingDirectory(directory));
}

/** Is there a next one, whole? */
export function isRollingOver(directory: string): boolean {
  // Written last.
  return existsSync(join(nextDirectory(directory), 'issuing.key'));
}

export interface NextAuthority {
  readonly root: Root;
  readonly issuing: Authority;
}

/** Founds it when there is none yet. Throws as opening and founding one do. */
export async function nextAuthority(
  directory: string,
  about: {
    readonly cluster: string;
    readonly passphrase: string;
    readonly rootLifeMs: number;
    readonly issuingLifeMs: number;
    readonly nowMs: number;
  },
): Promise<NextAuthority> {
  const next = nextDirectory(directory);
  const { cluster, nowMs, passphrase } = about;
  openRoot(directory, passphrase); // another passphrase would be one that nobody meant
  if (!isRollingOver(directory)) {
    rmSync(next, { recursive: true, force: true }); // what an interruption has left
    // Another name than the former one's: lists and `openssl` show no more of an authority.
    const day = new Date(nowMs).toISOString().slice(0, 10);
    await foundAuthority({ ...about, directory: next, subject: { commonName: `${cluster} root ${day}` } });
  }
  const root = openRoot(next, passphrase);
  const certificatePem = readFileSync(join(next, 'issuing.crt'), 'utf8');
  const keyPem = decryptKey(readFileSync(join(next, 'issuing.key'), 'utf8'), passphrase);
  return { root, issuing: { certificatePem, keyPem, rootsPem: root.certificatePem } };
}

/** The next one becomes the one. */
export function finishRollover(directory: string): void {
  const next = finishingDirectory(directory);
  const former = join(directory, 'former');
  if (!existsSync(next)) renameSync(nextDirectory(directory), next);
  mkdirSync(former, { recursive: true, mode: 0o700 });
  for (const name of names) {
    if (!existsSync(join(next, name))) continue; // an interruption came after it
    if (existsSync(join(directory, name))) renameSync(join(directory, name), join(former, name));
    renameSync(join(next, name), join(directory, name));
  }
  rmSync(next, { recursive: true, force: true });
}
