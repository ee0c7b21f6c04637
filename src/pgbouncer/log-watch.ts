/**
 * Tells when pgbouncer writes to its log. As it is configured here it writes when something goes wrong and else nothing, so
 * this costs nothing at rest, and tells of a lost server within ms.
 *
 * A hint only: what is written is not read, and where the kernel can't watch, nothing is told.
 */
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Answers how to end it. The directory is watched, since the file comes later and may be rotated. */
export function watchLog(logFile: string, onWrite: () => void): () => void {
  try {
    const name = basename(logFile);
    const watcher = watch(dirname(logFile), { persistent: false }, (_, changed) => {
      if (changed === name) onWrite();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined; // no inotify left: the agents' streams tell, a little later
  }
}
