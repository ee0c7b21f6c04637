/**
 * Runs `pg_waldump` over a stretch of WAL and passes its lines on as they come.
 *
 * Reads only. WAL ends where no valid record follows, which the program calls an error: its words are answered, and whoever
 * knows how the server was left judges whether that is the end or damage.
 */
import { join } from 'node:path';
import { formatLsn, type Lsn, parseLsn } from '../core/lsn.ts';
import { run } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import { programEnvironment } from './program-environment.ts';
import type { Deadline } from './waiting.ts';

export interface WalDumpEnd {
  /** Where it stopped, if it said so. */
  readonly at: Lsn | null;
  /** Its last words; empty when it reached the end that was asked for. */
  readonly because: string;
}

export interface WalDumpRange {
  readonly directory: string;
  readonly timeline: number;
  readonly from: Lsn;
  readonly to: Lsn | null;
  /** Of that resource manager alone; left out: all records. */
  readonly only?: 'Transaction';
}

/** Throws PROCESS_FAILED when it can't be started or is cancelled, TIMEOUT at the deadline. */
export async function dumpWal(
  binaries: Binaries,
  range: WalDumpRange,
  onLine: (line: string) => void,
  deadline: Deadline,
): Promise<WalDumpEnd> {
  const args = ['-p', range.directory, '-t', String(range.timeline), '-s', formatLsn(range.from)];
  if (range.to !== null) args.push('-e', formatLsn(range.to));
  if (range.only !== undefined) args.push('-r', range.only);
  let rest = '';
  const result = await run(join(binaries.directory, 'pg_waldump'), args, {
    cwd: range.directory,
    env: { ...programEnvironment(), TZ: 'UTC' },
    withinMs: deadline.leftMs(),
    anyExit: true,
    maxOutputBytes: 64 * 1024,
    ...(deadline.signal === undefined ? {} : { signal: deadline.signal }),
    onStdout: (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    },
  });
  if (rest !== '') onLine(rest);
  const because = result.stderr.trim().split('\n').at(-1)?.trim() ?? '';
  if (result.code === 0) return { at: null, because: '' };
  const at = /\bat ([0-9A-F]+\/[0-9A-F]+)(?:$|[:\s])/g;
  const positions = [...because.matchAll(at)].map(([, position = '']) => parseLsn(position));
  return { at: positions.at(-1) ?? null, because: because.replace(/^pg_waldump: (?:error|fatal): /, '') };
}
