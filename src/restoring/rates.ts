/**
 * How quick restores were on this machine, so that the next one can be told how long it takes.
 *
 * Kept in a small file of the state directory: the last of them. A file that can't be read counts as none.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

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

const fileIn = (stateDirectory: string): string => join(stateDirectory, 'restores.json');

export function readPastRestores(stateDirectory: string): readonly PastRestore[] {
  try {
    return z.array(pastRestore).parse(JSON.parse(readFileSync(fileIn(stateDirectory), 'utf8')));
  } catch {
    return [];
  }
}

/** What is kept serves an estimate alone: where it can't be written, nothing is lost. */
export function rememberRestore(stateDirectory: string, restore: PastRestore): void {
  try {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    const fresh = `${fileIn(stateDirectory)}.new`;
    const kept = [...readPastRestores(stateDirectory), restore].slice(-keptCount);
    writeFileSync(fresh, JSON.stringify(kept), { mode: 0o600 });
    renameSync(fresh, fileIn(stateDirectory));
  } catch {
    // as said above
  }
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
