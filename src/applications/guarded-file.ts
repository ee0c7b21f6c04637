/**
 * Files with secrets that belong to somebody else in the end.
 *
 * Invariant: a reader sees the old content or the new one, and at no moment may anybody read it who may not read it in the
 * end. The directory belongs to this user (or root) and nobody else may write in it, so that no name in it becomes a link
 * between a look and an act; links are refused. Reads nothing: what was given away can't be read any more.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Of the file. */
  readonly mode: number;
}

/** What a file was like right after it was written: it is still the same one as long as this is. */
export interface Print {
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** Throws CONFIG_INVALID when it is a link, no directory, somebody else's, or others may write in it. */
export function makeGuardedDirectory(path: string): void {
  const found = look(path);
  if (found === null) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    // Whatever this process's umask says: applications must get through.
    chmodSync(path, 0o755);
    return;
  }
  const wrong = whyUnguarded(found);
  if (wrong === null) return;
  throw new UnderstudyError('CONFIG_INVALID', `${path} ${wrong}`, {
    hint: `remove it, or make it a directory of the agent's user with mode 0755`,
  });
}

/** Is it there, and safe to work in? */
export function isGuardedDirectory(path: string): boolean {
  const found = look(path);
  return found !== null && whyUnguarded(found) === null;
}

function whyUnguarded(found: Stats): string | null {
  const own = process.getuid?.() ?? 0;
  if (found.isSymbolicLink()) return 'is a symbolic link';
  if (!found.isDirectory()) return 'is no directory';
  if (found.uid !== own && found.uid !== 0) return `belongs to user ${found.uid}, not to the agent's`;
  return (found.mode & 0o022) === 0 ? null : 'can be written by others';
}

/** Throws what the file system says, such as EPERM for an owner that this user may give nothing to. */
export function replaceGuardedFile(directory: string, name: string, content: string, to: Ownership): Print {
  const fresh = join(directory, `.${name}.new`);
  rmSync(fresh, { force: true });
  const file = openSync(
    fresh,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    constants.S_IRUSR | constants.S_IWUSR,
  );
  try {
    writeFileSync(file, content);
    const own = fstatSync(file);
    // The group first, while its bits are still off; the owner last, since afterwards nothing of it may be changed.
    if (own.gid !== to.gid) fchownSync(file, own.uid, to.gid);
    fchmodSync(file, to.mode);
    if (own.uid !== to.uid) fchownSync(file, to.uid, to.gid);
    renameSync(fresh, join(directory, name));
    return printOf(fstatSync(file));
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** `null`: there is no file of that name. */
export function printIn(directory: string, name: string): Print | null {
  const found = look(join(directory, name));
  return found === null ? null : printOf(found);
}

export function isSamePrint(a: Print | null, b: Print | null): boolean {
  return a !== null && b !== null && a.ino === b.ino && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

function printOf({ ino, mtimeMs, ctimeMs }: Stats): Print {
  return { ino, mtimeMs, ctimeMs };
}

function look(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}
