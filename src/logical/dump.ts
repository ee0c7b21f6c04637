/**
 * Logical dumps by pg_dump, in its custom format, into a file; or to nowhere, to see that everything can be read.
 *
 * Invariant: under its final name a file is whole and on disk. Until then it has another one beside it, which is removed when the dump
 * fails or is cancelled (a process that is killed leaves it), and it is read by nobody but its owner. Nothing is overwritten.
 */
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { listDatabases } from './databases.ts';
import { conninfo, runProgram, type Server } from './server.ts';

export interface DumpWishes {
  readonly database: string;
  /** As patterns of pg_dump that name one each; all if empty. */
  readonly tables: readonly string[];
  readonly schemaOnly: boolean;
}

export interface DumpOptions {
  readonly signal: AbortSignal;
  /** About each second: what the file has by now. */
  readonly onProgress?: (bytes: number) => void;
}

const progressEveryMs = 1_000;
/** The longest that a dump may take. */
const dumpWithinMs = 7 * 24 * 3_600_000;

/** Bytes of the file. Throws REFUSED when there is one of that name, PROCESS_FAILED with pg_dump's last words. */
export async function dumpToFile(
  server: Server,
  wishes: DumpWishes,
  file: string,
  options: DumpOptions,
): Promise<number> {
  if (isDevice(file)) return await writeDump(server, wishes, file, options);
  refuseExisting(file);
  const partial = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  try {
    const bytes = await writeDump(server, wishes, partial, options);
    // Unlike a rename it takes no name that somebody else has taken meanwhile.
    linkSync(partial, file);
    syncDirectory(dirname(file));
    return bytes;
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw unwritten(file, error);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** Such as /dev/null. */
function isDevice(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isCharacterDevice() === true;
}

function refuseExisting(file: string): void {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return;
  throw new UnderstudyError('REFUSED', `${file} is there already, and is not overwritten`, {
    hint: 'name another one with --to, or remove it',
  });
}

function unwritten(file: string, cause: unknown): UnderstudyError {
  const hint = 'check that the directory exists and may be written to';
  return new UnderstudyError('PROCESS_FAILED', `${file} can't be written: ${describeError(cause)}`, { cause, hint });
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function writeDump(server: Server, wishes: DumpWishes, file: string, options: DumpOptions): Promise<number> {
  const descriptor = isDevice(file) ? openSync(file, 'w') : openSync(file, 'wx', 0o600);
  const { onProgress, signal } = options;
  const timer = setInterval(() => onProgress?.(fstatSync(descriptor).size), progressEveryMs);
  try {
    await runProgram(server, 'pg_dump', {
      args: [...dumpArguments(wishes), '--format=custom'],
      outputTo: descriptor,
      withinMs: dumpWithinMs,
      signal,
    });
    if (!isDevice(file)) fsyncSync(descriptor);
    return fstatSync(descriptor).size;
  } finally {
    clearInterval(timer);
    closeSync(descriptor);
  }
}

function dumpArguments({ database, schemaOnly, tables }: DumpWishes): readonly string[] {
  return [
    ...tables.map((table) => `--table=${table}`),
    ...(schemaOnly ? ['--schema-only'] : []),
    // Waits for nobody who alters a table.
    '--lock-wait-timeout=30s',
    '--dbname',
    conninfo(database),
  ];
}

export interface NowhereDump {
  readonly database: string;
  readonly ms: number;
  /** `null`: everything of it was read. */
  readonly because: string | null;
  /** It took longer than it may, which says nothing of what is in it. */
  readonly isLate: boolean;
}

export interface NowhereOptions {
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  /** For each database, of that size. */
  readonly withinMs: (bytes: number) => number;
}

/**
 * Reads every row of every database, as a dump does, and keeps nothing. What can't be read is an answer, not an error; throws only when
 * the server can't be asked for its databases, or the signal fires. Works on a standby; unlogged tables are left out there.
 */
export async function dumpToNowhere(
  server: Server,
  { nowMs, signal, withinMs }: NowhereOptions,
): Promise<readonly NowhereDump[]> {
  const answers: NowhereDump[] = [];
  for (const { bytes, name } of await listDatabases(server, signal)) {
    const began = nowMs();
    const read = await readAll(server, name, { signal, withinMs: withinMs(bytes) });
    signal.throwIfAborted();
    answers.push({ database: name, ms: Math.round(nowMs() - began), ...read });
  }
  return answers;
}

async function readAll(
  server: Server,
  database: string,
  limits: { signal: AbortSignal; withinMs: number },
): Promise<Pick<NowhereDump, 'because' | 'isLate'>> {
  const wishes = { database, tables: [], schemaOnly: false };
  // Plain text: what is thrown away need not be compressed.
  const args = [...dumpArguments(wishes), '--format=plain', '--file=/dev/null'];
  try {
    await runProgram(server, 'pg_dump', { args, ...limits });
    return { because: null, isLate: false };
  } catch (error) {
    return { because: describeError(error), isLate: isUnderstudyError(error, 'TIMEOUT') };
  }
}
