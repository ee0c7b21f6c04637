/**
 * By which applications log in at their local pooler: one random password each, made once on this node. The pooler keeps
 * its verifier; `<state>/apps/<application>/password` is the agent's own copy, and what applications read is written by
 * others (src/applications).
 *
 * Invariant: a password is made only when there is none. Refuses to overwrite one that it can't read, and names that are
 * no file name.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { roundsForClients, scramVerifier } from '../secrets/scram-verifier.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

interface Credential {
  readonly password: string;
  /** For pgbouncer's userlist. */
  readonly verifier: string;
}

const fileName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

export class ClientPasswords {
  readonly #directory: string;
  readonly #known = new Map<string, Credential>();

  /** `state`: the node's state directory. */
  constructor(state: string) {
    this.#directory = join(state, 'apps');
  }

  /** Of an application; made when there is none. Throws CONFIG_INVALID for a name that is no file name. */
  of(application: string): string {
    return this.#credential(application).password;
  }

  /** Of pgbouncer's userlist, for these applications. */
  userlist(applications: Iterable<string>): string {
    const names = [...new Set(applications)].sort();
    return names.map((name) => `"${name}" "${this.#credential(name).verifier}"\n`).join('');
  }

  /** Everyone who was given one. */
  applications(): readonly string[] {
    try {
      return readdirSync(this.#directory).sort();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  /** Its next password will be another one. */
  forget(application: string): void {
    rmSync(this.#directoryOf(application), { recursive: true, force: true });
    this.#known.delete(application);
  }

  #directoryOf(application: string): string {
    if (fileName.test(application)) return join(this.#directory, application);
    throw new UnderstudyError('CONFIG_INVALID', `no application can be called ${JSON.stringify(application)}`, {
      hint: 'use letters, digits, hyphens and underscores for the names of applications',
    });
  }

  #credential(application: string): Credential {
    const known = this.#known.get(application);
    if (known !== undefined) return known;
    const file = join(this.#directoryOf(application), 'password');
    const kept = readPrivateFile(file)?.trim() ?? '';
    const password = kept === '' ? randomBytes(24).toString('base64url') : kept;
    if (kept === '') writePrivateFile(file, `${password}\n`);
    const credential = { password, verifier: scramVerifier(password, roundsForClients) };
    this.#known.set(application, credential);
    return credential;
  }
}
