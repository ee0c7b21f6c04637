/**
 * What an application needs to reach its local pooler: one random password, made once on this node and known to nobody
 * else. `<state>/apps/<application>/pgpass` holds it in libpq's passfile format (documentation 34.16),
 * `connection.json` says where to connect and holds no secret.
 *
 * Invariant: a password is made only when there is none. Refuses to overwrite a passfile that it can't read.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { scramVerifier } from './scram-verifier.ts';

export interface ClientEndpoint {
  /** Where clients on this node connect over TCP. */
  readonly host: string;
  readonly port: number;
  /** The directory of the Unix socket. */
  readonly socketDirectory: string;
}

interface Credential {
  readonly application: string;
  readonly password: string;
  /** For pgbouncer's userlist. */
  readonly verifier: string;
}

/** A field of a passfile: colons and backslashes are escaped. */
const field = (text: string): string => text.replace(/[\\:]/g, '\\$&');
const unfield = (text: string): string => text.replace(/\\([\\:])/g, '$1');

/** The password in the first line of a passfile; fields end at colons that have no backslash before them. */
function passwordIn(passfile: string): string | null {
  const match = /^(?:(?:\\.|[^:\\\n])*:){4}((?:\\.|[^:\\\n])+)$/m.exec(passfile);
  return match?.[1] === undefined ? null : unfield(match[1]);
}

function aliasesOf(configuration: PoolerConfiguration, application: string) {
  return configuration.aliases.filter((alias) => alias.application === application);
}

export class ApplicationCredentials {
  readonly #directory: string;
  readonly #known = new Map<string, Credential>();

  /** `directory`: the node's state directory. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Writes what is missing for every application of the configuration, and answers the lines of the userlist. */
  prepare(configuration: PoolerConfiguration, endpoint: ClientEndpoint): string {
    const applications = [...new Set(configuration.aliases.map((alias) => alias.application))].sort();
    return applications
      .map((application) => {
        const credential = this.#credential(application);
        this.#write(credential, configuration, endpoint);
        return `"${application}" "${credential.verifier}"\n`;
      })
      .join('');
  }

  #file(application: string, name: string): string {
    return join(this.#directory, 'apps', application, name);
  }

  #credential(application: string): Credential {
    const known = this.#known.get(application);
    if (known !== undefined) return known;
    const passfile = readPrivateFile(this.#file(application, 'pgpass'));
    const password = (passfile === null ? null : passwordIn(passfile)) ?? randomBytes(24).toString('base64url');
    const credential = { application, password, verifier: scramVerifier(password) };
    this.#known.set(application, credential);
    return credential;
  }

  #write(credential: Credential, configuration: PoolerConfiguration, endpoint: ClientEndpoint): void {
    const { application, password } = credential;
    const aliases = aliasesOf(configuration, application);
    const hosts = [endpoint.host, endpoint.socketDirectory];
    const lines = hosts.flatMap((host) =>
      aliases.map((alias) => [host, String(endpoint.port), alias.name, application, password].map(field).join(':')),
    );
    const passfile = this.#file(application, 'pgpass');
    writePrivateFile(passfile, `${lines.join('\n')}\n`);
    const connection = {
      ...endpoint,
      user: application,
      passfile,
      write: aliases.find((alias) => alias.writes)?.name ?? null,
      read: aliases.find((alias) => !alias.writes)?.name ?? null,
    };
    writePrivateFile(this.#file(application, 'connection.json'), `${JSON.stringify(connection, null, 2)}\n`);
  }
}
