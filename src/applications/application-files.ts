/**
 * The files by which applications of this node reach their pooler: `<directory>/<application>/` with pg_service.conf, pgpass,
 * env and connection.json, each with the password in it, and the authority's certificate, to verify servers by.
 *
 * Invariant: nothing is written before the declared owner and group are known and can be given it; what can't be done for one
 * application is told, and keeps nothing from the others. Applications that left have no files. The passfile is for its owner
 * alone whatever is declared, since libpq refuses any other (documentation 34.16).
 */
import { readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ApplicationFileMode, ApplicationSpec } from '../core/spec.ts';
import { hasNodeAlias, nodeAlias, readAlias, writeAlias } from '../core/spec.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ApplicationFiles, WantedFiles } from '../ports/application-files.ts';
import type { ClientLogin, ClientLogins } from '../ports/client-logins.ts';
import { type Accounts, machineAccounts } from './accounts.ts';
import { environmentText, fileNames, jsonText, type Login, passfileText, serviceText } from './connection-texts.ts';
import {
  isGuardedDirectory,
  isSamePrint,
  makeGuardedDirectory,
  type Ownership,
  type Print,
  printIn,
  replaceGuardedFile,
} from './guarded-file.ts';

export interface FilesPlaces {
  /** Where each application has its directory. */
  readonly directory: string;
  /** Of the pooler's socket. */
  readonly socketDirectory: string;
  /** By which applications are told where the primary is. */
  readonly topologySocket: string;
  /** The authority's certificate, as this node has it. */
  readonly authority: string;
}

interface Written {
  readonly content: string;
  readonly to: Ownership;
  readonly print: Print;
}

export class FilesOfApplications implements ApplicationFiles {
  readonly #places: FilesPlaces;
  readonly #logins: ClientLogins;
  readonly #accounts: Accounts;
  readonly #written = new Map<string, Written>();
  #kept: WantedFiles | null = null;

  constructor(places: FilesPlaces, logins: ClientLogins, accounts: Accounts = machineAccounts()) {
    this.#places = places;
    this.#logins = logins;
    this.#accounts = accounts;
  }

  /** The authority's certificate is another one: who verifies by it should not have to wait. */
  async renewAuthority(): Promise<void> {
    if (this.#kept !== null) await this.keep(this.#kept);
  }

  async keep(wanted: WantedFiles): Promise<string | null> {
    this.#kept = wanted;
    const troubles: (string | null)[] = [];
    for (const application of wanted.applications) {
      troubles.push(await troubleOf(application.name, async () => await this.#write(application, wanted)));
    }
    const names = new Set(wanted.applications.map(({ name }) => name));
    const forget = (): void => {
      for (const former of this.#logins.applications().filter((name) => !names.has(name))) {
        this.#remove(former);
        this.#logins.forget(former);
      }
    };
    troubles.push(await troubleOf('former applications', forget));
    const told = troubles.filter((trouble) => trouble !== null);
    return told.length === 0 ? null : told.join('; ');
  }

  async leave(): Promise<string | null> {
    this.#kept = null;
    return await troubleOf('applications', () => {
      for (const name of this.#logins.applications()) this.#remove(name);
    });
  }

  async #write(application: ApplicationSpec, wanted: WantedFiles): Promise<void> {
    // Also says whether the name is one of a file.
    const { told, alsoGood } = this.#logins.of(application.name, wanted.clientPasswords[application.name] ?? null);
    const { passfile, others } = await this.#ownership(application);
    const directory = join(this.#places.directory, application.name);
    const login: Login & ClientLogin = {
      host: clientHost(wanted.listenAddress),
      port: wanted.port,
      socketDirectory: this.#places.socketDirectory,
      ...told,
      passfile: join(directory, fileNames.passfile),
      write: writeAlias(application),
      read: readAlias(application),
      nodes: Object.fromEntries(
        wanted.databaseNodes
          .filter((node) => hasNodeAlias(application, node))
          .map((node) => [node, nodeAlias(application, node)]),
      ),
      topology: this.#places.topologySocket,
    };
    const authority = readFileSync(this.#places.authority, 'utf8');
    makeGuardedDirectory(this.#places.directory);
    makeGuardedDirectory(directory);
    this.#put(directory, fileNames.authority, authority, { ...others, mode: 0o644 });
    this.#put(directory, fileNames.passfile, passfileText(login, alsoGood), passfile);
    this.#put(directory, fileNames.service, serviceText(login), others);
    this.#put(directory, fileNames.environment, environmentText(login), others);
    // Last: who finds it finds the others.
    this.#put(directory, fileNames.json, jsonText(login), others);
  }

  #put(directory: string, name: string, content: string, to: Ownership): void {
    const path = join(directory, name);
    const before = this.#written.get(path);
    const isKept =
      before?.content === content &&
      JSON.stringify(before.to) === JSON.stringify(to) &&
      isSamePrint(before.print, printIn(directory, name));
    if (isKept) return;
    this.#written.delete(path);
    try {
      this.#written.set(path, { content, to, print: replaceGuardedFile(directory, name, content, to) });
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EPERM')) throw cause;
      const whom = `user ${to.uid} and group ${to.gid}`;
      throw new UnderstudyError('FORBIDDEN', `the agent's user may not give a file to ${whom}`, {
        cause,
        hint: 'let the agent have CAP_CHOWN, or declare only a group that its user is in',
      });
    }
  }

  async #ownership({ files }: ApplicationSpec): Promise<{ readonly passfile: Ownership; readonly others: Ownership }> {
    const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const owner = files.owner === null ? own : await this.#accounts.user(files.owner);
    const gid = files.group === null ? owner.gid : await this.#accounts.group(files.group);
    const to = { uid: owner.uid, gid };
    return { passfile: { ...to, mode: modeFor(files.mode) & 0o700 }, others: { ...to, mode: modeFor(files.mode) } };
  }

  #remove(application: string): void {
    const directory = join(this.#places.directory, application);
    if (!isGuardedDirectory(this.#places.directory) || !isGuardedDirectory(directory)) return;
    for (const name of Object.values(fileNames)) {
      rmSync(join(directory, name), { force: true });
      this.#written.delete(join(directory, name));
    }
    try {
      rmdirSync(directory);
    } catch {
      // Somebody keeps files of their own in it, which are not ours to take.
    }
  }
}

/** With what would be right, since a report has no other place for it. */
async function troubleOf(name: string, act: () => Promise<void> | void): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return `files of ${name}: ${describeError(error)}${isUnderstudyError(error) ? ` (${error.hint})` : ''}`;
  }
}

function modeFor(mode: ApplicationFileMode): number {
  return Number.parseInt(mode, 8);
}

/** Where clients on this node connect when the pooler listens there. */
function clientHost(listenAddress: string): string {
  return listenAddress === '*' || listenAddress === '0.0.0.0' ? '127.0.0.1' : listenAddress;
}
