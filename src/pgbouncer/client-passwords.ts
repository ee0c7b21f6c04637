/**
 * By which applications log in at their local pooler: one random password each, made on this node and known to it alone. The
 * pooler keeps verifiers; `<state>/apps/<application>/password` is the agent's own copy, and what applications read is
 * written by others (src/applications).
 *
 * A user of pgbouncer has one password, so there are two users of each application: the next password is that of the one that
 * rests, and the one before stays good until the one after is made (docs/adr/0025).
 *
 * Invariant: a password is made only when there is none, or when a later one is asked for; the file is replaced as a whole before
 * anybody is told. Refuses to overwrite one that it can't read, and names that are no file name.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clientUser } from '../core/pooler-configuration.ts';
import type { ApplicationName } from '../core/spec.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ClientLogin, ClientLogins } from '../ports/client-logins.ts';
import { roundsForClients, scramVerifier } from '../secrets/scram-verifier.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

interface Password extends ClientLogin {
  /** For pgbouncer's userlist. */
  readonly verifier: string;
}

interface Passwords {
  /** Of `now`, counted from 1. */
  readonly generation: number;
  readonly now: Password;
  /** `null`: there was none before. */
  readonly before: Password | null;
}

const fileName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const secondLine = /^([1-9][0-9]*) (\S+)$/;

export class ClientPasswords implements ClientLogins {
  readonly #directory: string;
  readonly #known = new Map<string, Passwords>();
  /** By application, why its next one was not made. */
  readonly #failed = new Map<ApplicationName, string>();

  /** `state`: the node's state directory. */
  constructor(state: string) {
    this.#directory = join(state, 'apps');
  }

  get trouble(): string | null {
    const [[application, because] = []] = this.#failed;
    return application === undefined ? null : `the next password of ${application} can't be kept: ${because}`;
  }

  of(application: ApplicationName, generation: number | null): ReturnType<ClientLogins['of']> {
    const { now, before, generation: newest } = this.#passwords(application);
    return generation === newest || before === null
      ? { told: now, alsoGood: before }
      : { told: before, alsoGood: null };
  }

  reach(application: ApplicationName, generation: number): number {
    try {
      const file = this.#fileOf(application);
      const known = this.#known.get(application) ?? this.#read(application, file);
      if (known === null || known.generation >= generation) {
        this.#failed.delete(application);
        return known?.generation ?? 1;
      }
      // Several that were ordered while nobody was here to make them are one change, of the user that rests.
      const next = generation + ((generation - known.generation + 1) % 2);
      const fresh = makePassword(application, next);
      this.#write(application, file, { generation: next, now: fresh, before: known.now });
      this.#failed.delete(application);
      return next;
    } catch (error) {
      this.#failed.set(application, describeError(error));
      return this.#known.get(application)?.generation ?? 1;
    }
  }

  /** Of pgbouncer's userlist, for these applications. */
  userlist(applications: Iterable<ApplicationName>): string {
    const names = [...new Set(applications)].sort();
    const passwords = names.flatMap((name) => {
      const { now, before } = this.#passwords(name);
      return before === null ? [now] : [now, before];
    });
    return passwords.map(({ user, verifier }) => `"${user}" "${verifier}"\n`).join('');
  }

  /** By user: the application that it was the newest of until the last change. */
  formerUsers(): ReadonlyMap<string, ApplicationName> {
    return new Map(
      [...this.#known].flatMap(([application, { before }]) => (before === null ? [] : [[before.user, application]])),
    );
  }

  applications(): readonly ApplicationName[] {
    try {
      return readdirSync(this.#directory).sort();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }

  forget(application: ApplicationName): void {
    rmSync(this.#directoryOf(application), { recursive: true, force: true });
    this.#known.delete(application);
    this.#failed.delete(application);
  }

  #directoryOf(application: string): string {
    if (fileName.test(application)) return join(this.#directory, application);
    throw new UnderstudyError('CONFIG_INVALID', `no application can be called ${JSON.stringify(application)}`, {
      hint: 'use letters, digits, hyphens and underscores for the names of applications',
    });
  }

  #fileOf(application: string): string {
    return join(this.#directoryOf(application), 'password');
  }

  /** Made when there is none. */
  #passwords(application: ApplicationName): Passwords {
    const file = this.#fileOf(application);
    const known = this.#known.get(application) ?? this.#read(application, file);
    if (known !== null) return known;
    const first = { generation: 1, now: makePassword(application, 1), before: null };
    return this.#write(application, file, first);
  }

  /** Its first line is the newest password; the second has its generation and the one before, when there was one. */
  #read(application: ApplicationName, file: string): Passwords | null {
    const [password = '', second = ''] = (readPrivateFile(file) ?? '').split('\n');
    if (password.trim() === '') return null;
    const [, generation = '1', before] = secondLine.exec(second) ?? [];
    const count = Number(generation);
    const passwords = {
      generation: count,
      now: withVerifier(clientUser(application, count), password.trim()),
      before: before === undefined ? null : withVerifier(clientUser(application, count - 1), before),
    };
    this.#known.set(application, passwords);
    return passwords;
  }

  #write(application: ApplicationName, file: string, passwords: Passwords): Passwords {
    const { generation, now, before } = passwords;
    writePrivateFile(file, `${now.password}\n${before === null ? '' : `${generation} ${before.password}\n`}`);
    this.#known.set(application, passwords);
    return passwords;
  }
}

function makePassword(application: ApplicationName, generation: number): Password {
  return withVerifier(clientUser(application, generation), randomBytes(24).toString('base64url'));
}

function withVerifier(user: string, password: string): Password {
  return { user, password, verifier: scramVerifier(password, roundsForClients) };
}
