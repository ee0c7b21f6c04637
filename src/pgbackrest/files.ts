/**
 * The files that pgBackRest reads.
 *
 * Invariant: nobody but this user can read them at any instant, and a reader sees a file as it was or as it will be. What isn't
 * needed any more is removed.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { writeWhole } from '../process/whole-file.ts';
import type { RepositoryFiles } from './configuration-file.ts';

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function write(path: string, content: string): boolean {
  if (read(path) === content) return false;
  writeWhole(path, content);
  return true;
}

/** `optional`: those of them that are not among the files are removed. Answers whether anything changed. Throws REPOSITORY_FILES_FAILED. */
export function writeFiles(
  directories: readonly string[],
  files: RepositoryFiles,
  optional: readonly string[],
): boolean {
  try {
    for (const directory of directories) mkdirSync(directory, { recursive: true, mode: 0o700 });
    removeFiles(optional.filter((path) => !Object.hasOwn(files, path)));
    // The configuration names the others, and comes last.
    return Object.entries(files)
      .toReversed()
      .map(([path, content]) => write(path, content))
      .includes(true);
  } catch (cause) {
    throw new UnderstudyError('REPOSITORY_FILES_FAILED', "can't write the files of pgBackRest", { cause });
  }
}

export function removeFiles(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true });
}
