/**
 * The journal of a data directory under construction: what must be finished or undone after a crash.
 *
 *   nothing --> building --> swapping --> nothing
 *
 * | entry    | means                                                            | after a crash |
 * | building | `<data>.incoming` is ours and incomplete                         | removed by the next attempt; `<data>` was not touched |
 * | swapping | `<data>.incoming` is complete and synced; `<data>` is set aside  | the renames are finished; `building` again if `<data>` can't be set aside |
 *
 * Beside it, for a rewind in place (rewind.ts):
 *
 *   nothing --> begun --> done --> nothing
 *
 * | rewind | means                                     | after a crash                                              |
 * | begun  | `<data>` is being changed                 | never started; a clone takes its place, which ends the entry |
 * | done   | `<data>` is as the source was, and synced | started as a standby; if it does not start, it is `begun` again |
 *
 * Invariant: nothing is renamed or removed that the journal does not name, and the journal names only what this
 * product made, or a data directory whose system identifier it verified. So `kill -9` at any instant leaves the old
 * or the new directory in place at the next look.
 */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { readOptional, replaceFile, syncDirectory } from './durable-files.ts';
import type { Layout } from './layout.ts';

const journalSchema = z.strictObject({
  /** What is under way, if anything. */
  entry: z.discriminatedUnion('step', [
    z.strictObject({ step: z.literal('nothing') }),
    z.strictObject({ step: z.literal('building'), incoming: z.string() }),
    z.strictObject({ step: z.literal('swapping'), incoming: z.string(), aside: z.string().nullable() }),
  ]),
  /** A rewind of `<data>`; journals of earlier versions don't know it. */
  rewind: z
    .strictObject({ step: z.enum(['begun', 'done']), systemIdentifier: z.string() })
    .nullable()
    .default(null),
  /** Old data directories that were set aside, oldest first. */
  kept: z.array(z.string()),
});
export type Journal = z.infer<typeof journalSchema>;

const empty: Journal = { entry: { step: 'nothing' }, rewind: null, kept: [] };

/** Throws BROKEN_INVARIANT when the file is not what was written: then nobody may remove anything. */
export async function readJournal(layout: Layout): Promise<Journal> {
  const text = await readOptional(layout.journal);
  if (text === null) return empty;
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new UnderstudyError('BROKEN_INVARIANT', `${layout.journal} can't be read`, {
      cause,
      hint: `look at ${layout.data}*, keep the right directory, and remove the journal`,
    });
  }
}

export async function writeJournal(layout: Layout, journal: Journal): Promise<void> {
  await replaceFile(layout.journal, JSON.stringify(journal));
}

/** `false` for a directory that is missing or has nothing in it. */
export function hasContent(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Finishes the renames of an interrupted swap. What was done already is seen by what is there. */
export async function settleSwap(layout: Layout): Promise<void> {
  const journal = await readJournal(layout);
  if (journal.entry.step !== 'swapping') return;
  const { incoming, aside } = journal.entry;
  if (existsSync(incoming)) {
    try {
      if (aside !== null && !existsSync(aside) && hasContent(layout.data)) renameSync(layout.data, aside);
      renameSync(incoming, layout.data); // an empty directory in its place is replaced
    } catch (error) {
      // Nothing was moved: as before the swap, so that another attempt can be made, and the old directory used meanwhile.
      if (aside === null || !existsSync(aside)) {
        await writeJournal(layout, { ...journal, entry: { step: 'building', incoming } });
      }
      throw error;
    }
    await syncDirectory(dirname(layout.data));
  }
  const isPlain = aside?.startsWith(layout.kept(0).slice(0, -1)) === true && existsSync(aside);
  const kept = isPlain && aside !== null ? [...journal.kept, aside] : journal.kept;
  // What a rewind had spoiled is no longer `<data>`.
  await writeJournal(layout, { entry: { step: 'nothing' }, rewind: null, kept });
}

/**
 * Puts the finished `<data>.incoming` in place; a data directory with content is set aside, not removed.
 * The caller has verified both, and no server runs in either. One that has diverged is kept for people: its name says
 * so, and it outlives the health of the new one.
 */
export async function swap(layout: Layout, old: 'plain' | 'diverged'): Promise<void> {
  const journal = await readJournal(layout);
  const name = old === 'diverged' ? layout.diverged : layout.kept;
  let number = 1;
  while (existsSync(name(number)) || journal.kept.includes(name(number))) number += 1;
  const aside = hasContent(layout.data) ? name(number) : null;
  await writeJournal(layout, { ...journal, entry: { step: 'swapping', incoming: layout.incoming, aside } });
  await settleSwap(layout);
}

/** Removes the directories that swaps have set aside. */
export async function removeKept(layout: Layout): Promise<void> {
  const journal = await readJournal(layout);
  for (const directory of journal.kept) await rm(directory, { recursive: true, force: true });
  if (journal.kept.length > 0) await writeJournal(layout, { ...journal, kept: [] });
}

/** Of the directories that diverged the newest are kept; what is older has been looked at, or never will be. */
export async function pruneDiverged(layout: Layout, keep: number): Promise<void> {
  const numbers = readdirSync(dirname(layout.data))
    .map((name) => /\.diverged-(\d+)$/.exec(name)?.[1])
    .flatMap((text) => (text === undefined ? [] : [Number(text)]))
    .filter((number) => existsSync(layout.diverged(number)))
    .sort((a, b) => b - a);
  for (const number of numbers.slice(keep)) await rm(layout.diverged(number), { recursive: true, force: true });
}
