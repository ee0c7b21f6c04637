/**
 * What the agent keeps for pgbouncer on disk: its configuration, its userlist, and the applications' credentials.
 *
 * Invariant: all of it is private to this user, and a file that would not change is not written.
 */
import { join } from 'node:path';
import type { PoolerConfiguration, PoolerGate } from '../ports/pooler.ts';
import { ApplicationCredentials } from './application-credentials.ts';
import { renderConfiguration } from './configuration-file.ts';
import type { ProcessPlaces } from './daemon-process.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import type { PgbouncerVersion } from './version.ts';

export interface PgbouncerPlaces {
  /** The node's state directory: configuration under `pgbouncer/`, credentials under `apps/`. */
  readonly state: string;
  /** For the pid file and the Unix socket; exists, and is short. */
  readonly run: string;
  readonly log: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** `null`: found in the usual places and on the PATH. */
  readonly program: string | null;
}

/** Where clients on this node connect when pgbouncer listens there. */
function clientHost(listenAddress: string): string {
  return listenAddress === '*' || listenAddress === '0.0.0.0' ? '127.0.0.1' : listenAddress;
}

export class PgbouncerFiles {
  readonly #places: PgbouncerPlaces;
  readonly #process: ProcessPlaces;
  readonly #userlist: string;
  readonly #credentials: ApplicationCredentials;

  constructor(places: PgbouncerPlaces, process: ProcessPlaces) {
    this.#places = places;
    this.#process = process;
    this.#userlist = join(process.directory, 'userlist.txt');
    this.#credentials = new ApplicationCredentials(places.state);
  }

  /** Answers whether pgbouncer has something new to read. */
  write(configuration: PoolerConfiguration, gate: PoolerGate, version: PgbouncerVersion): boolean {
    const { listenAddress, port } = configuration;
    const socketDirectory = this.#places.run;
    const endpoint = { host: clientHost(listenAddress), port, socketDirectory };
    const users = writePrivateFile(this.#userlist, this.#credentials.prepare(configuration, endpoint));
    const places = {
      userlist: this.#userlist,
      pidFile: this.#process.pidFile,
      socketDirectory,
      tls: this.#places.tls,
      version,
    };
    const text = renderConfiguration(configuration, places, gate);
    const settings = writePrivateFile(this.#process.configurationFile, text);
    return users || settings;
  }

  /** Does a running pgbouncer listen at another place than this? */
  isElsewhere({ listenAddress, port }: PoolerConfiguration): boolean {
    const settings = readPrivateFile(this.#process.configurationFile)?.split('\n') ?? [];
    return !settings.includes(`listen_addr = ${listenAddress}`) || !settings.includes(`listen_port = ${port}`);
  }
}
