/**
 * What the agent keeps for pgbouncer on disk: its configuration, its userlist and who may open what.
 *
 * Invariant: all of it is private to this user, and a file that would not change is not written.
 */
import { join } from 'node:path';
import type { PoolerConfiguration, PoolerGate } from '../ports/pooler.ts';
import { renderClientAccess } from './client-access.ts';
import type { ClientPasswords } from './client-passwords.ts';
import { renderConfiguration } from './configuration-file.ts';
import type { ProcessPlaces } from './daemon-process.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { type PasswordOf, serverLogins } from './server-logins.ts';
import type { PgbouncerVersion } from './version.ts';

export interface PgbouncerPlaces {
  /** The node's state directory: configuration under `pgbouncer/`, clients' passwords under `apps/`. */
  readonly state: string;
  /** For the pid file and the Unix socket; exists, and is short. */
  readonly run: string;
  readonly log: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** `null`: found in the usual places and on the PATH. */
  readonly program: string | null;
  /** Beside this host: networks from which clients may come in plain text. */
  readonly plainFrom: readonly string[];
  /** By which it logs in to servers. */
  readonly passwordOf: PasswordOf;
}

export class PgbouncerFiles {
  readonly #places: PgbouncerPlaces;
  readonly #process: ProcessPlaces;
  readonly #userlist: string;
  readonly #access: string;
  readonly #passwords: ClientPasswords;

  constructor(places: PgbouncerPlaces, process: ProcessPlaces, passwords: ClientPasswords) {
    this.#places = places;
    this.#process = process;
    this.#userlist = join(process.directory, 'userlist.txt');
    this.#access = join(process.directory, 'access.conf');
    this.#passwords = passwords;
  }

  /** Answers whether pgbouncer has something new to read. */
  write(configuration: PoolerConfiguration, gate: PoolerGate, version: PgbouncerVersion): boolean {
    const applications = configuration.aliases.map((alias) => alias.application);
    const clients = this.#passwords.userlist(applications);
    const servers = serverLogins(configuration, this.#places.passwordOf);
    const users = writePrivateFile(this.#userlist, clients + servers);
    const access = writePrivateFile(this.#access, renderClientAccess(configuration, this.#places.plainFrom));
    const places = {
      userlist: this.#userlist,
      access: this.#access,
      pidFile: this.#process.pidFile,
      socketDirectory: this.#places.run,
      tls: this.#places.tls,
      version,
    };
    const text = renderConfiguration(configuration, places, gate);
    const settings = writePrivateFile(this.#process.configurationFile, text);
    return users || access || settings;
  }

  /** Does a running pgbouncer listen at another place than this? */
  isElsewhere({ listenAddress, port }: PoolerConfiguration): boolean {
    const settings = readPrivateFile(this.#process.configurationFile)?.split('\n') ?? [];
    return !settings.includes(`listen_addr = ${listenAddress}`) || !settings.includes(`listen_port = ${port}`);
  }
}
