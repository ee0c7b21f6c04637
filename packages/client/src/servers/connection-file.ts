/**
 * What Understudy keeps for an application in `connection.json`: login, aliases, the agent's socket.
 *
 * Invariant: read anew whenever a connection is made, since passwords are rotated; while the file can't be read, the last
 * that could be is used. Throws OptionError for a file that is none of these at the very first.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../errors.ts';

export interface ConnectionFile {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  /** The alias that leads to the primary. */
  readonly write: string;
  /** By node, the alias that leads there and only reads. */
  readonly nodes: Readonly<Record<string, string>>;
  /** `null`: an agent that tells no topology. */
  readonly topology: string | null;
}

export class ApplicationConnection {
  readonly #path: string;
  #last: ConnectionFile;

  constructor(directory: string) {
    this.#path = join(directory, 'connection.json');
    this.#last = readConnectionFile(this.#path);
  }

  current(): ConnectionFile {
    try {
      this.#last = readConnectionFile(this.#path);
    } catch {
      // It is being replaced, or its directory is gone for a moment: the last one may still do.
    }
    return this.#last;
  }
}

function readConnectionFile(path: string): ConnectionFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new OptionError(
      'application',
      `a directory with a connection.json that can be read (${path}: ${messageOf(error)})`,
    );
  }
  const file = connectionOf(parsed);
  if (file === null) throw new OptionError('application', `a directory of Understudy's (${path} has no login in it)`);
  return file;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function connectionOf(value: unknown): ConnectionFile | null {
  if (!isRecord(value)) return null;
  const { host, nodes, password, port, topology, user, write } = value;
  if (typeof host !== 'string' || typeof port !== 'number' || typeof user !== 'string' || typeof write !== 'string') {
    return null;
  }
  return {
    host,
    port,
    user,
    write,
    password: typeof password === 'string' ? password : null,
    nodes: isRecord(nodes) ? textsOf(nodes) : {},
    topology: typeof topology === 'string' ? topology : null,
  };
}

function textsOf(record: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
