/** Runs pg_basebackup or pg_rewind, which both tell how far they are on their standard error. */
import { join } from 'node:path';
import type { CloneProgress } from '../ports/postgres.ts';
import { type RunResult, run } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import { programEnvironment } from './program-environment.ts';
import type { Deadline } from './waiting.ts';

/** `  123456/456789 kB (27%), 0/1 tablespace`, the last one in this piece of output. */
export function parseProgress(text: string): CloneProgress | null {
  let last: CloneProgress | null = null;
  for (const match of text.matchAll(/(\d+)\/(\d+) kB \(\s*\d+%\)/g)) {
    last = { bytesDone: Number(match[1]) * 1024, bytesTotal: Number(match[2]) * 1024 };
  }
  return last;
}

export interface ProgressRun {
  readonly binaries: Binaries;
  readonly program: 'pg_basebackup' | 'pg_rewind';
  readonly args: readonly string[];
  /** The directory it works on: here it is found, and ended, after an agent that was killed. */
  readonly directory: string;
  readonly onProgress: (progress: CloneProgress) => void;
}

/** Throws PROCESS_FAILED, TIMEOUT, and what the caller's signal was aborted with. */
export async function runWithProgress(wanted: ProgressRun, deadline: Deadline): Promise<RunResult> {
  const { binaries, program, args, directory, onProgress } = wanted;
  return await run(join(binaries.directory, program), args, {
    cwd: directory,
    env: programEnvironment(),
    withinMs: deadline.leftMs(),
    ...(deadline.signal === undefined ? {} : { signal: deadline.signal }),
    onStderr: (text) => {
      const progress = parseProgress(text);
      if (progress !== null) onProgress(progress);
    },
  });
}
