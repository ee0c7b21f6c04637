/**
 * Reads files without a note of the reading in their inodes (O_NOATIME, open(2)).
 *
 * That note is a write: under `relatime`, the usual way to mount, the first reading after each change makes one, and
 * waits in the kernel when the disk hangs. Who reads on his only thread what the page cache holds must not wait for that.
 * Only a file's owner and root may ask for it; for anybody else it is an ordinary reading.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';

/** Throws as `openSync` does. */
export function openQuietly(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOATIME);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return openSync(path, 'r');
    throw error;
  }
}

/** Throws as `readFileSync` does. */
export function readQuietly(path: string): Buffer {
  const file = openQuietly(path);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
