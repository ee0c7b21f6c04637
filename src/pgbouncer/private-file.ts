/**
 * Files that only this user may read, replaced as a whole.
 *
 * Invariant: a reader sees the old content or the new one, and the content is never readable by others, not even for
 * an instant. Synchronous on purpose: two small files are on the path between "writable" and RESUME, and a turn of
 * the event loop costs more than the write. Not flushed to disk: after a crash of the host they are written anew.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

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
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  writeFileSync(fresh, content, { mode: 0o600 });
  renameSync(fresh, path);
  return true;
}
