/**
 * The files of own certificates: `<directory>/<name>/` with key.pem, chain.pem (leaf first), combined.pem (both, chain first)
 * and ca.pem.
 *
 * Invariant: a key exists in this process alone until its certificate has come, and never leaves the node. Each file is replaced
 * at once, key and combined with the declared owner, group and mode. A set that a crash cut short, or that somebody
 * touched, is no set: a new one is asked for.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Accounts, machineAccounts } from '../applications/accounts.ts';
import {
  isGuardedDirectory,
  isSamePrint,
  makeGuardedDirectory,
  type Ownership,
  printIn,
  replaceGuardedFile,
} from '../applications/guarded-file.ts';
import { ownDirectoryName } from '../core/own-certificates.ts';
import type { OwnCertificateSpec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { certificatesIn } from '../pki/credential-files.ts';
import { lifeOf } from '../pki/life.ts';
import { createSigningRequest } from '../pki/signing-request.ts';
import type { OwnCertificateFiles, PlacedCertificate } from '../ports/own-certificates.ts';
import { type PlacedEntry, PlacedRecord } from './placed-record.ts';
import { runReloadHook } from './reload-hook.ts';

const names = { key: 'key.pem', chain: 'chain.pem', combined: 'combined.pem', authority: 'ca.pem' } as const;

export interface CertificatePlaces {
  /** Where each certificate has its directory. */
  readonly directory: string;
  /** Of this agent: what it has put there. */
  readonly record: string;
  /** The cluster's roots, as this node has them. */
  readonly authority: string;
}

export class CertificateDirectories implements OwnCertificateFiles {
  readonly #places: CertificatePlaces;
  readonly #record: PlacedRecord;
  readonly #accounts: Accounts;
  readonly #waiting = new Map<string, string>();

  constructor(places: CertificatePlaces, accounts: Accounts = machineAccounts()) {
    this.#places = places;
    this.#record = new PlacedRecord(places.record);
    this.#accounts = accounts;
  }

  look(wanted: OwnCertificateSpec): PlacedCertificate | null {
    const entry = this.#record.of(wanted.name);
    const directory = this.#directory(wanted.name);
    if (entry === undefined || entry.directory !== directory || entry.form !== formOf(wanted)) return null;
    const isTouched = Object.values(names).some(
      (name) => !isSamePrint(entry.prints[name] ?? null, printIn(directory, name)),
    );
    if (isTouched) return null;
    try {
      const leaf = new X509Certificate(readFileSync(join(directory, names.chain)));
      return leaf.serialNumber === entry.serial ? { life: lifeOf(leaf), isTakenUp: entry.isTakenUp } : null;
    } catch {
      return null; // it can't be read, so another one is asked for
    }
  }

  request({ name }: OwnCertificateSpec): string {
    const { requestPem, keyPem } = createSigningRequest();
    this.#waiting.set(name, keyPem);
    return requestPem;
  }

  async put(wanted: OwnCertificateSpec, chain: string): Promise<void> {
    const { name } = wanted;
    const keyPem = this.#waiting.get(name);
    const chainPem = certificatesIn(chain);
    const leaf = verified(name, chainPem, keyPem);
    const { secret, open } = await this.#ownership(wanted);
    const authority = readFileSync(this.#places.authority, 'utf8');
    const directory = this.#directory(name);
    makeGuardedDirectory(this.#places.directory);
    makeGuardedDirectory(directory);
    const former = this.#record.of(name);
    // Where it lay before it was declared to lie elsewhere.
    if (former !== undefined && former.directory !== directory) removeFiles(former.directory);
    this.#record.forget(name);
    const write = (file: string, content: string, to: Ownership) =>
      [file, replaceGuardedFile(directory, file, content, to)] as const;
    const prints = Object.fromEntries([
      write(names.authority, authority, open),
      write(names.key, keyPem ?? '', secret),
      write(names.chain, chainPem, open),
      write(names.combined, `${chainPem}${keyPem ?? ''}`, secret),
    ]);
    const placed = { name, directory, serial: leaf.serialNumber, form: formOf(wanted), prints };
    this.#record.write({ ...placed, isTakenUp: wanted.reload === null });
    this.#waiting.delete(name);
  }

  async takeUp({ name, reload }: OwnCertificateSpec): Promise<void> {
    const before = this.#record.of(name);
    await runReloadHook(reload, name, this.#directory(name));
    if (before !== undefined) this.#record.write({ ...before, isTakenUp: true });
  }

  placed(): readonly string[] {
    return this.#record.all().map(({ name }) => name);
  }

  remove(name: string): void {
    const entry: PlacedEntry | undefined = this.#record.of(name);
    this.#waiting.delete(name);
    if (entry === undefined) return;
    removeFiles(entry.directory);
    this.#record.forget(name);
  }

  #directory(name: string): string {
    return join(this.#places.directory, ownDirectoryName(name));
  }

  async #ownership({ files }: OwnCertificateSpec): Promise<{ readonly secret: Ownership; readonly open: Ownership }> {
    const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const owner = files.owner === null ? own : await this.#accounts.user(files.owner);
    const gid = files.group === null ? owner.gid : await this.#accounts.group(files.group);
    return {
      secret: { uid: owner.uid, gid, mode: Number.parseInt(files.mode, 8) },
      // It stays this user's, who reads it.
      open: { ...own, mode: 0o644 },
    };
  }
}

/** Throws CERTIFICATE_REFUSED. */
function verified(name: string, chainPem: string, keyPem: string | undefined): X509Certificate {
  const refuse = (because: string) =>
    new UnderstudyError('CERTIFICATE_REFUSED', `a certificate for ${name}: ${because}`);
  if (keyPem === undefined) throw refuse('nobody asked for it');
  if (chainPem === '') throw refuse('it is none');
  const leaf = new X509Certificate(chainPem);
  if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) throw refuse('it is not for the key that was asked for');
  const isNamed = leaf.subjectAltName?.split(', ').includes(`DNS:${name}`) ?? false;
  if (!isNamed) throw refuse('it is for another name');
  return leaf;
}

function formOf({ files }: OwnCertificateSpec): string {
  return JSON.stringify([files.owner, files.group, files.mode]);
}

function removeFiles(directory: string): void {
  if (!isGuardedDirectory(directory)) return;
  for (const name of Object.values(names)) rmSync(join(directory, name), { force: true });
  try {
    rmdirSync(directory);
  } catch {
    // Somebody keeps files of their own in it, which are not ours to take.
  }
}
