/**
 * Brings the data of an instance into its place, by the method that was decided.
 *
 * Invariant: a base that is being written to is on record as not whole until it is, so that one whose writer died is restored again
 * and never replayed from. Called under the lock.
 */
import { mkdir, rename } from 'node:fs/promises';
import { parseMoment } from '../core/backups/moments.ts';
import type { BaseFacts, Copying, Method } from '../core/backups/past-method.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { TransferProgress } from '../ports/repository.ts';
import { shareWithinMs } from '../restoring/bounds.ts';
import type { DelayedStandby } from '../restoring/delayed-standby.ts';
import { isBegun } from '../restoring/leftover.ts';
import { copyStandby } from '../restoring/standby-copy.ts';
import { moveTablespaceLinks } from '../restoring/tablespace-links.ts';
import { copyTree, makeBaseDirectory, removeTree } from './copying.ts';
import type { PastParts } from './parts.ts';
import { dataOf } from './scratch.ts';

export interface Preparation {
  readonly method: Method;
  readonly copying: Copying;
  readonly backup: RepositoryBackup;
  readonly id: string;
  readonly onProgress: (progress: TransferProgress) => void;
}

/** What it stands at when it was restored, and nothing was replayed in it. */
export function restoredBase(backup: RepositoryBackup): BaseFacts {
  return { label: backup.label, atMs: parseMoment(backup.finishedAt) ?? 0, isReplayed: false, isWhole: true };
}

/** By who keeps the standby's WAL meanwhile. Throws what `copyStandby` throws; what is there by then is left, and on record. */
export async function prepareCopy(
  { scratch }: PastParts,
  standby: DelayedStandby,
  { id, onProgress }: Pick<Preparation, 'id' | 'onProgress'>,
  options: ActOptions,
): Promise<void> {
  const place = scratch.place(id);
  await removeTree(place);
  await mkdir(place, { mode: 0o700 });
  await copyStandby(standby, dataOf(place), onProgress, options);
}

/** Throws what `Repository.restore` and a copy throw; what is there by then is left, and on record. */
export async function prepareData(parts: PastParts, preparation: Preparation, options: ActOptions): Promise<void> {
  const { backup, copying, id, method, onProgress } = preparation;
  const { scratch } = parts;
  const place = scratch.place(id);
  await removeTree(place);
  if (method.by === 'restore') {
    await mkdir(place, { mode: 0o700 });
    await restoreInto(parts, dataOf(place), backup, { delta: false, onProgress }, options);
    return;
  }
  if (method.base !== null) await restoreBase(parts, preparation, options);
  const base = scratch.readBase();
  if (method.takesBase) {
    // From here on its record is the instance's.
    scratch.forget('base');
    await rename(scratch.base, place);
  } else {
    if (base !== null) scratch.writeBase({ ...base, usedAtMs: parts.clock.wallClock().getTime() });
    await copyTree(copying, scratch.base, place, { ...options, withinMs: shareWithinMs(backup.databaseBytes) });
  }
  moveTablespaceLinks(dataOf(place), scratch.base, place);
}

async function restoreBase(parts: PastParts, preparation: Preparation, options: ActOptions): Promise<void> {
  const { backup, copying, onProgress } = preparation;
  const { clock, scratch } = parts;
  const data = dataOf(scratch.base);
  const record = { version: 1 as const, ...restoredBase(backup), usedAtMs: clock.wallClock().getTime() };
  scratch.writeBase({ ...record, isWhole: false });
  const isAddedTo = isBegun(data);
  if (!isAddedTo) {
    await removeTree(scratch.base);
    await makeBaseDirectory(copying, scratch.base);
  }
  await restoreInto(parts, data, backup, { delta: isAddedTo, onProgress }, options);
  scratch.writeBase(record);
}

async function restoreInto(
  { repository }: PastParts,
  into: string,
  { label }: RepositoryBackup,
  { delta, onProgress }: { readonly delta: boolean; readonly onProgress: Preparation['onProgress'] },
  options: ActOptions,
): Promise<void> {
  // The target is given when it is started.
  const request = { set: label, target: { type: 'default' }, action: 'pause', archives: false } as const;
  await repository.restore({ ...request, into, delta, timeline: 'latest' }, onProgress, options);
}
