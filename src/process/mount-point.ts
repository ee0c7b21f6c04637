/**
 * Is a directory a mount point? Then it can't be renamed, and nothing can be renamed to it (rename(2), EBUSY).
 *
 * By the kernel's list of this process's mounts (proc_pid_mountinfo(5)): a bind mount has the device of its parent
 * directory, and a subvolume of btrfs has one of its own, but can be renamed.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Blanks, tabs, line breaks and backslashes are written in octal. */
export function parseMountPoints(mountinfo: string): readonly string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const path = line.split(' ')[4];
    if (path === undefined) return [];
    return [path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}

/** `false` also where it can't be told. A symbolic link to a mount point is none: what is renamed is the link. */
export function isMountPoint(directory: string): boolean {
  try {
    const path = join(realpathSync(dirname(directory)), basename(directory));
    // Bytes beyond ASCII are written as they are.
    return parseMountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).includes(path);
  } catch {
    return false;
  }
}
