/**
 * The small file beside a directory that a restore writes: of what, how far it is, and who is at it.
 *
 * Invariant: it is there before the first file is restored, and says `restored` only once nothing is left to be done. So one that was left
 * half done is known again, by whoever calls the same command, and what it had put aside as well.
 */
import { readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { writeWhole } from '../process/whole-file.ts';

const marker = z.object({
  set: z.string(),
  target: z.string(),
  /**
   * `restoring`: files are copied; `recovering`: they are all there, and WAL is replayed; `recovered`: it is a node's directory, and
   * the store is yet to be told.
   */
  state: z.enum(['restoring', 'recovering', 'recovered', 'restored']),
  /** Who does it, as long as that one lives. */
  owner: z.object({ pid: z.number(), startTicks: z.number() }).nullable().default(null),
  /** Where what was in the directory lies. */
  kept: z.string().nullable().default(null),
});
export type RestoreMark = z.infer<typeof marker>;

const fileOf = (into: string): string => `${into}.restore.json`;

/** `null`: it was not written by a restore. */
export function readMark(into: string): RestoreMark | null {
  try {
    return marker.parse(JSON.parse(readFileSync(fileOf(into), 'utf8')));
  } catch {
    return null;
  }
}

export function writeMark(into: string, mark: RestoreMark): void {
  writeWhole(fileOf(into), JSON.stringify(mark));
}

export function removeMark(into: string): void {
  rmSync(fileOf(into), { force: true });
}

/** Nothing is written to it any more. From `restored` on what is in the directory is worth keeping. */
export function endMark(into: string, state: 'recovered' | 'restored'): void {
  const mark = readMark(into);
  if (mark !== null) writeMark(into, { ...mark, state, owner: null });
}
