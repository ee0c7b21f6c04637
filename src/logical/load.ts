/**
 * Loads an archive of pg_dump into one database, by pg_restore.
 *
 * Invariant: all of it or nothing: it is one transaction, and a database that was made for it is dropped again when it fails.
 * Planner statistics come after it, since an archive has none.
 */

import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { programEnvironment } from '../postgres/program-environment.ts';
import { run } from '../process/run.ts';
import type { Database } from './databases.ts';
import { ask, conninfo, runProgram, type Server } from './server.ts';

export interface Archive {
  readonly database: string;
  /** As PostgreSQL words it. */
  readonly createdAt: string;
  readonly serverVersion: string;
  readonly tables: number;
  /** How many have rows in it; 0 with `--schema-only`. */
  readonly tablesWithRows: number;
}

/** What the archive in an open file says of itself. Throws REQUEST_INVALID for anything else. */
export async function readArchive(server: Server, descriptor: number, file: string): Promise<Archive> {
  const { code, stderr, stdout } = await run(join(server.binaries, 'pg_restore'), ['--list'], {
    inputFrom: descriptor,
    withinMs: 60_000,
    maxOutputBytes: 64 * 1024 * 1024,
    anyExit: true,
    cwd: '/',
    env: programEnvironment(),
    ...(server.runAs === null ? {} : { user: server.runAs }),
  });
  const database = /^; {5}dbname: (.*)$/m.exec(stdout)?.[1];
  if (code !== 0 || database === undefined) {
    const because = stderr.trim().split('\n').at(-1) ?? '';
    throw new UnderstudyError('REQUEST_INVALID', `${file} is no archive that pg_restore reads: ${because}`, {
      hint: 'understudy dump makes one, and pg_dump --format=custom; psql runs plain SQL',
    });
  }
  const count = (kind: string): number => stdout.match(new RegExp(`^\\d+; \\d+ \\d+ ${kind} `, 'gm'))?.length ?? 0;
  return {
    database,
    createdAt: /^; Archive created at (.*)$/m.exec(stdout)?.[1] ?? '',
    serverVersion: /^; {5}Dumped from database version: (.*)$/m.exec(stdout)?.[1] ?? '',
    tables: count('TABLE(?! DATA)'),
    tablesWithRows: count('TABLE DATA'),
  };
}

export interface LoadWishes {
  readonly database: string;
  /** It is not there yet: made like this one, or by the server's defaults. */
  readonly make: { readonly like: Database | null } | null;
  /** What the archive has is dropped first, where it is there. */
  readonly clean: boolean;
  /** To whom everything belongs, whoever owned it; `null`: as in the archive. It could not drop what others own: not with `clean`. */
  readonly owner: string | null;
}

const loadWithinMs = 7 * 24 * 3_600_000;

/** Throws PROCESS_FAILED with what pg_restore said; nothing was loaded then. */
export async function loadArchive(
  server: Server,
  descriptor: number,
  wishes: LoadWishes,
  signal: AbortSignal,
): Promise<void> {
  const { clean, database, make, owner } = wishes;
  if (make !== null) await makeDatabase(server, database, make.like, signal);
  try {
    await runProgram(server, 'pg_restore', {
      args: [
        ...['--single-transaction', '--exit-on-error', '--dbname', conninfo(database)],
        ...(clean ? ['--clean', '--if-exists'] : []),
        ...(owner === null ? [] : ['--no-owner', `--role=${owner}`]),
      ],
      inputFrom: descriptor,
      withinMs: loadWithinMs,
      signal,
    });
  } catch (error) {
    if (make !== null)
      await ask(server, 'postgres', 'DROP DATABASE :"name" WITH (FORCE)', { values: { name: database } });
    throw new UnderstudyError('PROCESS_FAILED', `nothing was loaded into ${database}`, {
      cause: error,
      hint: 'where roles of the archive are missing here, --no-owner gives everything to the owner of the database',
    });
  }
  await ask(server, database, 'ANALYZE', { signal, withinMs: loadWithinMs });
}

async function makeDatabase(server: Server, name: string, like: Database | null, signal: AbortSignal): Promise<void> {
  const text =
    like === null
      ? 'CREATE DATABASE :"name" TEMPLATE template0'
      : `CREATE DATABASE :"name" TEMPLATE template0 OWNER :"owner" ENCODING :'encoding' LC_COLLATE :'collate' LC_CTYPE :'ctype'`;
  const { collate = '', ctype = '', encoding = '', owner = '' } = like ?? {};
  const values = { name, owner, encoding, collate, ctype };
  await ask(server, 'postgres', text, { signal, values, withinMs: 120_000 });
}
