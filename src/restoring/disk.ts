/** What a file system has, and what directories take of it. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Disk } from '../core/backups/room.ts';
import { run } from '../process/run.ts';
import { lookThroughMs } from './bounds.ts';

/** Free is what its owner may use. */
export async function diskOf(directory: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Of everything in them; of those that are missing nothing. Shared blocks count for each who has them. */
export async function usedBytes(directories: readonly string[], signal: AbortSignal | undefined): Promise<number> {
  const there = directories.filter((each) => existsSync(each));
  if (there.length === 0) return 0;
  const { stdout } = await run('du', ['--summarize', '--total', '--block-size=1', '--', ...there], {
    withinMs: lookThroughMs,
    anyExit: true,
    ...(signal === undefined ? {} : { signal }),
  });
  // The last line is that of all.
  return Number(stdout.trimEnd().split('\n').at(-1)?.split('\t')[0]);
}
