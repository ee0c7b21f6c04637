/**
 * How quick restores and copies of a primary were on this machine, so that the next one can be told how long it takes.
 *
 * Kept in small files of the state directory: the last of them. A file that can't be read counts as none.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '../process/whole-file.ts';

export interface PastRestore {
  /** ISO 8601. */
  readonly at: string;
  readonly bytes: number;
  readonly copyMs: number;
  /** `null`: nothing was replayed, or nobody knows how much. */
  readonly walBytes: number | null;
  readonly replayMs: number | null;
}

const pastRestore = z.object({
  at: z.string(),
  bytes: z.number(),
  copyMs: z.number(),
  walBytes: z.number().nullable(),
  replayMs: z.number().nullable(),
});
const keptCount = 20;

/** A whole copy of a running primary. */
export interface PastCopy {
  /** ISO 8601. */
  readonly at: string;
  readonly bytes: number;
  readonly ms: number;
}

const pastCopy = z.object({ at: z.string(), bytes: z.number(), ms: z.number() });

const restoresIn = (stateDirectory: string): string => join(stateDirectory, 'restores.json');
const copiesIn = (stateDirectory: string): string => join(stateDirectory, 'copies.json');

export function readPastRestores(stateDirectory: string): readonly PastRestore[] {
  return read(restoresIn(stateDirectory), pastRestore);
}

export function readPastCopies(stateDirectory: string): readonly PastCopy[] {
  return read(copiesIn(stateDirectory), pastCopy);
}

export function rememberRestore(stateDirectory: string, restore: PastRestore): void {
  remember(stateDirectory, restoresIn(stateDirectory), [...readPastRestores(stateDirectory), restore]);
}

export function rememberCopy(stateDirectory: string, copy: PastCopy): void {
  remember(stateDirectory, copiesIn(stateDirectory), [...readPastCopies(stateDirectory), copy]);
}

function read<T>(file: string, one: z.ZodType<T>): readonly T[] {
  try {
    return z.array(one).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}

/** What is kept serves an estimate alone: where it can't be written, nothing is lost. */
function remember(stateDirectory: string, file: string, all: readonly unknown[]): void {
  try {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    writeWhole(file, JSON.stringify(all.slice(-keptCount)));
  } catch {
    // as said above
  }
}

/** As `expectedMs`, of a copy of the primary. */
export function expectedCopyMs(past: readonly PastCopy[], bytes: number): number | null {
  const copied = past.reduce((total, each) => total + each.bytes, 0);
  if (copied === 0) return null;
  return Math.round((bytes * past.reduce((total, each) => total + each.ms, 0)) / copied);
}

/** Sums, so that the large ones count for more; in ms. `null`: there was none like it yet. */
export function expectedMs(
  past: readonly PastRestore[],
  { bytes, walBytes }: { readonly bytes: number; readonly walBytes: number | null },
): number | null {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const copied = sum(past.map((each) => each.bytes));
  if (copied === 0) return null;
  const copyMs = (bytes * sum(past.map((each) => each.copyMs))) / copied;
  const replays = past.flatMap(({ walBytes: wal, replayMs }) =>
    wal === null || replayMs === null ? [] : [{ wal, replayMs }],
  );
  const replayed = sum(replays.map(({ wal }) => wal));
  if (walBytes === null || replayed === 0) return Math.round(copyMs);
  return Math.round(copyMs + (walBytes * sum(replays.map(({ replayMs }) => replayMs))) / replayed);
}
