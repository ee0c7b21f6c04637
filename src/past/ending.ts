/**
 * Ends instances of the past, and keeps the data of one as the warm base where that is worth it.
 *
 * Invariant: of an instance that was ended no process is left, and no file but what became the base. May be broken off and begun
 * again at any point. Nothing is ended that somebody is at work on, nor by what was on record before it was locked.
 */
import { existsSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { parseMoment } from '../core/backups/moments.ts';
import { keptFreeBytes } from '../core/backups/room.ts';
import { isAlive } from '../process/identity.ts';
import { diskOf } from '../restoring/disk.ts';
import { endInstance } from '../restoring/instance-record.ts';
import { moveTablespaceLinks } from '../restoring/tablespace-links.ts';
import { removeTree } from './copying.ts';
import { type EndingParts, socketDirectory } from './parts.ts';
import { dataOf, type InstanceRecord, takeLock } from './scratch.ts';

const stopWithinMs = 60_000;
const baseLifeMs = 7 * 86_400_000;

export interface Ending {
  /** Whether its data may become the base. */
  readonly warm: boolean;
  /** Who ends it holds the lock of the base already. */
  readonly hasBaseLock?: boolean;
}

/** `false`: somebody else is at work on it. One that has ended by now is ended. Throws POSTGRES_TIMEOUT. */
export async function endOne(parts: EndingParts, record: InstanceRecord, ending: Ending): Promise<boolean> {
  return (await endIf(parts, record, ending, () => true)) !== 'busy';
}

/** `holds` is asked of what is on record once it is locked. */
async function endIf(
  parts: EndingParts,
  record: InstanceRecord,
  ending: Ending,
  holds: (now: InstanceRecord) => boolean,
): Promise<'ended' | 'left' | 'busy'> {
  const { scratch } = parts;
  const release = takeLock(scratch.directory, record.id);
  if (release === null) return 'busy';
  try {
    const now = scratch.again(record);
    if (now === null || !holds(now)) return 'left';
    await endLocked(parts, now, ending);
    return 'ended';
  } finally {
    release();
  }
}

/** By who holds the lock of the instance. Throws POSTGRES_TIMEOUT. */
export async function endLocked(
  parts: EndingParts,
  record: InstanceRecord,
  { hasBaseLock = false, warm }: Ending,
): Promise<void> {
  const { clock, scratch } = parts;
  const place = scratch.place(record.id);
  const sockets = socketDirectory(parts, record.id);
  await endInstance(sockets, clock, { withinMs: stopWithinMs });
  rmSync(sockets, { recursive: true, force: true });
  if (warm && existsSync(place)) await becomeBase(parts, record, place, hasBaseLock);
  await removeTree(place);
  scratch.forget(record.id);
}

/** Where blocks are shared the base never was an instance, and stays what it is. */
async function becomeBase(
  { clock, scratch }: EndingParts,
  record: InstanceRecord,
  place: string,
  hasBaseLock: boolean,
): Promise<void> {
  const atMs = standsAt(record);
  const { label, method } = record;
  const isCopy = method === 'btrfs-snapshot' || method === 'reflink';
  // A base is of a backup, so that the next one knows what it may be restored to.
  if (isCopy || label === null || atMs === null || scratch.readBase() !== null) return;
  const release = hasBaseLock ? () => undefined : takeLock(scratch.directory);
  if (release === null) return;
  try {
    const base = {
      version: 1 as const,
      label,
      atMs,
      isReplayed: true,
      usedAtMs: clock.wallClock().getTime(),
    };
    scratch.writeBase({ ...base, isWhole: false });
    await removeTree(scratch.base);
    await rename(place, scratch.base);
    moveTablespaceLinks(dataOf(scratch.base), place, scratch.base);
    scratch.writeBase({ ...base, isWhole: true });
  } finally {
    release();
  }
}

/** No commit in it is later; `null`: not known. */
function standsAt({ reached, target }: InstanceRecord): number | null {
  if (reached === null) return null;
  if (target.type === 'time') return target.atMs;
  const lastMs = reached.lastCommitAt === null ? undefined : parseMoment(reached.lastCommitAt);
  // It has microseconds, and is cut.
  return lastMs === undefined ? null : lastMs + 1;
}

export interface Swept {
  readonly id: string;
  readonly because: 'expired' | 'abandoned' | 'disk';
}

/**
 * Ends what has expired, what somebody who died left half made, and, when the disk gets full, whatever is next to expire. The base goes
 * when nobody has used it for a week.
 */
export async function sweep(parts: EndingParts): Promise<readonly Swept[]> {
  const { clock, scratch } = parts;
  const nowMs = clock.wallClock().getTime();
  const swept: Swept[] = [];
  for (const record of scratch.instances()) {
    const because = whyOver(record, nowMs);
    if (because === null) continue;
    const isStill = (now: InstanceRecord): boolean => whyOver(now, nowMs) === because;
    const done = await endIf(parts, record, { warm: because === 'expired' }, isStill);
    if (done === 'ended') swept.push({ id: record.id, because });
  }
  const base = scratch.readBase();
  if (base !== null && nowMs - base.usedAtMs > baseLifeMs) await removeBase(parts);
  if (await isShort(scratch.directory)) await removeBase(parts);
  const [next] = scratch.instances().toSorted((a, b) => a.expiresAtMs - b.expiresAtMs);
  if (next?.state === 'open' && (await isShort(scratch.directory))) {
    const done = await endIf(parts, next, { warm: false }, ({ state }) => state === 'open');
    if (done === 'ended') swept.push({ id: next.id, because: 'disk' });
  }
  return swept;
}

/** `null`: it goes on. */
function whyOver({ expiresAtMs, owner, state }: InstanceRecord, nowMs: number): 'expired' | 'abandoned' | null {
  if (state === 'opening') return isAlive(owner) ? null : 'abandoned';
  return nowMs < expiresAtMs ? null : 'expired';
}

/** Of what is kept free when an instance is opened, half is gone. */
async function isShort(directory: string): Promise<boolean> {
  const disk = await diskOf(directory);
  return disk.freeBytes < keptFreeBytes(disk) / 2;
}

async function removeBase({ scratch }: EndingParts): Promise<void> {
  const release = takeLock(scratch.directory);
  if (release === null) return;
  try {
    await removeTree(scratch.base);
    scratch.forget('base');
  } finally {
    release();
  }
}
