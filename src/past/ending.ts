/**
 * Ends instances of the past, and keeps the data of one as the warm base where that is worth it.
 *
 * Invariant: of an instance that was ended no process is left, and no file but what became the base. May be broken off and begun
 * again at any point.
 */
import { existsSync, rmSync } from 'node:fs';
import { rename, statfs } from 'node:fs/promises';
import { parseMoment } from '../core/backups/moments.ts';
import { isAlive } from '../process/identity.ts';
import { endInstance } from '../restoring/instance-record.ts';
import { moveTablespaceLinks } from '../restoring/tablespace-links.ts';
import { removeTree } from './copying.ts';
import { keptFreeBytes } from './limits.ts';
import { type EndingParts, socketDirectory } from './parts.ts';
import { dataOf, type InstanceRecord, takeLock } from './scratch.ts';

const stopWithinMs = 60_000;
const baseLifeMs = 7 * 86_400_000;

/** `warm`: whether its data may become the base. Throws POSTGRES_TIMEOUT. */
export async function endOne(
  parts: EndingParts,
  record: InstanceRecord,
  { warm }: { readonly warm: boolean },
): Promise<void> {
  const { clock, scratch } = parts;
  const place = scratch.place(record.id);
  const sockets = socketDirectory(parts, record.id);
  await endInstance(sockets, clock, { withinMs: stopWithinMs });
  rmSync(sockets, { recursive: true, force: true });
  if (warm && existsSync(place)) await becomeBase(parts, record, place);
  await removeTree(place);
  scratch.forget(record.id);
}

/** Where blocks are shared the base never was an instance, and stays what it is. */
async function becomeBase({ clock, scratch }: EndingParts, record: InstanceRecord, place: string): Promise<void> {
  const atMs = standsAt(record);
  const isCopy = record.method === 'btrfs-snapshot' || record.method === 'reflink';
  if (isCopy || atMs === null || scratch.readBase() !== null) return;
  const release = takeLock(scratch.directory);
  if (release === null) return;
  try {
    const base = {
      version: 1 as const,
      label: record.label,
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
    const isAbandoned = record.state === 'opening' && !isAlive(record.owner);
    if (!isAbandoned && (record.state === 'opening' || nowMs < record.expiresAtMs)) continue;
    await endOne(parts, record, { warm: !isAbandoned });
    swept.push({ id: record.id, because: isAbandoned ? 'abandoned' : 'expired' });
  }
  const base = scratch.readBase();
  if (base !== null && nowMs - base.usedAtMs > baseLifeMs) await removeBase(parts);
  if (await isShort(scratch.directory)) await removeBase(parts);
  const [next] = scratch.instances().toSorted((a, b) => a.expiresAtMs - b.expiresAtMs);
  if (next?.state === 'open' && (await isShort(scratch.directory))) {
    await endOne(parts, next, { warm: false });
    swept.push({ id: next.id, because: 'disk' });
  }
  return swept;
}

/** Of what is kept free when an instance is opened, half is gone. */
async function isShort(directory: string): Promise<boolean> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return bavail * bsize < keptFreeBytes({ totalBytes: blocks * bsize }) / 2;
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
