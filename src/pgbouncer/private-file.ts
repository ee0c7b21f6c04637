/**
 * Files that only this user may read, replaced as a whole.
 *
 * Invariant: a reader sees the old content or the new one, and the content is never readable by others, not even for
 * an instant. One exception: where no new file can be made, as on a full disk, the old one is overwritten in its place, if
 * it has the room; a pooler that could not learn of a new primary would be worse. Synchronous on purpose: two small files
 * are on the path between "writable" and RESUME, and a turn of the event loop costs more than the write. Not flushed to
 * disk: after a crash of the host they are written anew.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Of `blocks` in stat(2), whatever the file system's own are. */
const blockBytes = 512;

export function readPrivateFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Answers whether the content was another one before. */
export function writePrivateFile(path: string, content: string): boolean {
  if (readPrivateFile(path) === content) return false;
  const fresh = `${path}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(fresh, content, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    removeQuietly(fresh);
    if (!overwrite(path, Buffer.from(content))) throw error;
  }
  return true;
}

/** In the blocks that the file has already: that needs no space. `false`: it does not fit, or can't be done. */
function overwrite(path: string, content: Buffer): boolean {
  try {
    const file = openSync(path, 'r+');
    try {
      if (fstatSync(file).blocks * blockBytes < content.length) return false;
      if (writeSync(file, content, 0, content.length, 0) !== content.length) return false;
      ftruncateSync(file, content.length);
      return true;
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // a file system that takes no changes at all
  }
}
