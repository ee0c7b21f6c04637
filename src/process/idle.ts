/**
 * Words before a program that make it take what nobody else wants: processor time and, where the disk's scheduler knows of it (BFQ), disk
 * time. What it starts inherits both. One that may not be made so runs all the same.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const directories = ['/usr/bin', '/bin', '/usr/local/bin'];

function find(name: string): string | null {
  for (const path of directories.map((directory) => join(directory, name))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // perhaps in the next
    }
  }
  return null;
}

/** Each of the programs puts the next in its own place, so that the process keeps its id. */
export function idly(): readonly string[] {
  const [ionice, nice] = [find('ionice'), find('nice')];
  return [
    ...(ionice === null ? [] : [ionice, '--ignore', '--class', '3']),
    ...(nice === null ? [] : [nice, '-n', '19']),
  ];
}

/** The kernel ends it as soon as this process is gone: in PostgreSQL's immediate way (documentation 19.5), since nobody needs its data. */
export function endingWithUs(): readonly string[] {
  const setpriv = find('setpriv');
  return setpriv === null ? [] : [setpriv, '--pdeathsig', 'QUIT'];
}
