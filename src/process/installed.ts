/** Where programs of Debian's packages lie: several are in directories that are not on every user's PATH. */
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const usualDirectories = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin'];

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `null`: there is none. What lies in a directory of no fixed place is never taken. */
export function findInstalled(name: string): string | null {
  const directories = [...usualDirectories, ...(process.env.PATH ?? '').split(delimiter).filter(isAbsolute)];
  return directories.map((directory) => join(directory, name)).find(isExecutable) ?? null;
}
