/** Where the program was started, asked for only by verbs that need it: a directory can be removed under a shell's feet. */
import process from 'node:process';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** Throws REQUEST_INVALID when that directory is gone (getcwd(2): ENOENT). */
export function workingDirectory(read: () => string = process.cwd): string {
  try {
    return read();
  } catch {
    // Node's own words name its library's function, and nothing else that is not said here.
    throw new UnderstudyError('REQUEST_INVALID', 'the directory that this was started in is gone', {
      hint: 'change to one that exists: cd',
    });
  }
}
