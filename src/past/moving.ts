/**
 * Moves instances of the past to another moment.
 *
 * Invariant: whoever moves one holds its lock meanwhile, and it is on record as somebody's who lives. It is replayed on only by the
 * WAL of where it came from; otherwise it ends, and another one is opened under its name.
 */
import { parseLsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { withKeptWal } from '../restoring/standby-copy.ts';
import { endLocked } from './ending.ts';
import { openUnderLock, self, withLock } from './instances.ts';
import type { PastParts } from './parts.ts';
import { recover } from './recovering.ts';
import { type InstanceRecord, type PastTarget, sourceOf, takeLock } from './scratch.ts';
import type { FromStandby, PastReports, PastWish } from './wish.ts';

/** Replay goes forward alone. */
export function isForward({ reached, target: from }: InstanceRecord, to: PastTarget): boolean {
  if (from.type === 'time' && to.type === 'time') return to.atMs >= from.atMs;
  if (to.type !== 'lsn' || reached === null) return false;
  const [at, wanted] = [parseLsn(reached.lsn), parseLsn(to.value)];
  return at !== undefined && wanted !== undefined && wanted >= at;
}

/**
 * Forward: the same instance, replayed on. Backward: another one under the same name. Until it is there the old one is gone, also when
 * this fails. Throws what `openPast` throws; CONFLICT as well when somebody else is at work on that instance, or has ended it.
 */
export async function movePast(
  parts: PastParts,
  seen: InstanceRecord,
  wish: PastWish,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord> {
  const { scratch } = parts;
  const release = takeLock(scratch.directory, seen.id);
  if (release === null) throw movedByOther(seen, 'another command moves or ends it');
  try {
    const record = scratch.again(seen);
    if (record?.state !== 'open') throw movedByOther(seen, 'it was ended meanwhile');
    if (goesOn(record, wish)) {
      if (wish.source.from === 'repository') return await moveForward(parts, record, wish, reports, options);
      const moved = await moveWithStandby(parts, record, wish, wish.source, reports, options);
      if (moved !== null) return moved;
    }
    return await withLock(parts, async () => {
      await endLocked(parts, record, { warm: true, hasBaseLock: true });
      return await openUnderLock(parts, wish, reports, options, record.id);
    });
  } finally {
    release();
  }
}

function movedByOther({ id }: InstanceRecord, because: string): UnderstudyError {
  return new UnderstudyError('CONFLICT', `${id} can't be moved: ${because}`, { hint: 'understudy past list' });
}

/** What it is replayed on by is what it came from. */
function goesOn(record: InstanceRecord, { source, target }: PastWish): boolean {
  return sourceOf(record) === source.from && isForward(record, target);
}

/** `null`: the standby does not have the WAL any more that follows. */
async function moveWithStandby(
  parts: PastParts,
  record: InstanceRecord,
  wish: PastWish,
  { standby }: FromStandby,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord | null> {
  return await withKeptWal(standby, record.id, async (keptFrom) => {
    const [at, kept] = [parseLsn(record.reached?.lsn ?? ''), parseLsn(keptFrom)];
    if (at === undefined || kept === undefined || at < kept) return null;
    return await moveForward(parts, record, wish, reports, options);
  });
}

async function moveForward(
  parts: PastParts,
  record: InstanceRecord,
  wish: PastWish,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord> {
  const { clock, scratch } = parts;
  const beganMs = clock.boottimeMs();
  const expiresAtMs = clock.wallClock().getTime() + wish.lifeMs;
  const moving: InstanceRecord = { ...record, state: 'opening', owner: self(), target: wish.target, expiresAtMs };
  scratch.writeInstance(moving);
  try {
    const reached = await recover(parts, moving, wish.source, reports, options);
    const moved: InstanceRecord = { ...moving, state: 'open', tookMs: clock.boottimeMs() - beganMs, reached };
    scratch.writeInstance(moved);
    return moved;
  } catch (error) {
    await endLocked(parts, moving, { warm: false });
    throw error;
  }
}
