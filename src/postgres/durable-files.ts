/**
 * Writes small files so that a crash at any instant leaves the old or the new content, never a part.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes renames and new names in a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Mode 0600. Written beside, synced, renamed. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.understudy-new`;
  await rm(temporary, { force: true }); // so that its mode is ours
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Answers whether the file had to be written. */
export async function keepFile(path: string, content: string): Promise<boolean> {
  if ((await readOptional(path)) === content) return false;
  await replaceFile(path, content);
  return true;
}

export async function readOptional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw error;
  }
}
