/**
 * Files of this user alone that are put in place whole.
 *
 * Invariant: a reader sees a file as it was or as it will be, and nobody else can read it at any instant. Not flushed: what must outlive a
 * crash of the host is written by postgres/durable-files.ts.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Mode 0600, also where a file with another was there. Throws what the system says. */
export function writeWhole(path: string, text: string): void {
  const fresh = `${path}.new`;
  // One that was left half written may have any mode.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, path);
}
