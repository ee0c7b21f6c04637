/**
 * Reads /proc: which process a process id stands for now.
 *
 * Invariant: a process is named by its id and its start time together, so that a reused id is never taken for the
 * process that had it before. A zombie counts as gone: it holds no file, no memory and no socket. Where its main thread
 * ended first, the others hold all of that until they have ended, too: then it is not gone.
 * Reading is synchronous: /proc never waits for a disk, and one read costs some 10 microseconds.
 * Refuses to guess: what may not be read (another user's process) is `null`.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process (proc(5), field 22 of `stat`). */
  readonly startTicks: number;
}

export interface ProcessFacts extends ProcessIdentity {
  readonly parent: number;
  /** One letter of proc(5): `R`, `S`, `D`, `T` (stopped), `Z` (zombie) and so on. */
  readonly state: string;
  /** A main thread that has ended is counted until the process is reaped. */
  readonly threads: number;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the process ended, or may not be looked at
  }
}

/** Everything `stat` says about a process id now; `null` when there is none. */
export function readProcess(pid: number): ProcessFacts | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in parentheses may itself hold blanks and parentheses: only the last one closes it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  const threads = fields[17];
  const startTicks = fields[19];
  if (state === undefined || parent === undefined || threads === undefined || startTicks === undefined) return null;
  return { pid, startTicks: Number(startTicks), parent: Number(parent), state, threads: Number(threads) };
}

/** The identity of a living process; `null` when there is none or only its zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const facts = readProcess(pid);
  if (facts === null || (facts.state === 'Z' && facts.threads <= 1) || facts.state === 'X') return null;
  return { pid, startTicks: facts.startTicks };
}

/** Does this very process still live? */
export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTicks === process.startTicks;
}

/** The program's file; `null` when it may not be read. A replaced file still shows its old path with ` (deleted)`. */
export function readExecutable(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}

export function readWorkingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

/** The argument vector; PostgreSQL's children show their title as the one and only argument. */
export function readCommandLine(pid: number): readonly string[] {
  const text = readText(`/proc/${pid}/cmdline`);
  if (text === null) return [];
  const parts = text.split('\0');
  while (parts.at(-1) === '') parts.pop();
  return parts;
}

/** Is this the working directory of that process? `false` also when it may not be looked at. */
export function worksIn(pid: number, directory: string): boolean {
  try {
    const wanted = statSync(directory, { bigint: true });
    const seen = statSync(`/proc/${pid}/cwd`, { bigint: true });
    return seen.ino === wanted.ino && seen.dev === wanted.dev;
  } catch {
    return false;
  }
}

/** Every living process of this user (root: of all users) of which that holds; asked by id, in no order. */
export function ownProcesses(holds: (pid: number) => boolean): readonly ProcessIdentity[] {
  // Asking about a stranger's process fails with an exception, which costs ten times the question: skip strangers.
  const self = process.geteuid?.();
  const found: ProcessIdentity[] = [];
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    if (self !== 0 && statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid !== self) continue;
    const pid = Number(name);
    if (!holds(pid)) continue;
    const identity = identify(pid);
    if (identity !== null) found.push(identity);
  }
  return found;
}

/**
 * Every living process whose working directory is this one. Compared by device and inode, so that symbolic links and
 * renames do not hide a process. As an ordinary user only that user's processes are seen.
 */
export function processesIn(directory: string): readonly ProcessIdentity[] {
  const wanted = statSync(directory, { bigint: true, throwIfNoEntry: false });
  if (wanted === undefined) return [];
  return ownProcesses((pid) => {
    try {
      const seen = statSync(`/proc/${pid}/cwd`, { bigint: true, throwIfNoEntry: false });
      return seen !== undefined && seen.ino === wanted.ino && seen.dev === wanted.dev;
    } catch {
      return false; // just ended, or a stranger's
    }
  });
}
