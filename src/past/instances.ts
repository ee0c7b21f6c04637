/**
 * Opens and moves instances of the past: read-only servers on the database as it was.
 *
 * Invariant: an instance is on record before anything of it exists, as somebody's who lives; whoever dies in between leaves what the
 * next sweep removes. Whoever opens or moves one holds its lock meanwhile. It never archives, listens at a Unix socket alone, and touches nothing outside of the scratch directory.
 */
import { type PastLimits, whyNoInstance } from '../core/backups/past-limits.ts';
import { type Copying, decideMethod, type Method } from '../core/backups/past-method.ts';
import { restoredBytes } from '../core/backups/room.ts';
import { parseLsn } from '../core/lsn.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { TransferProgress } from '../ports/repository.ts';
import { identify } from '../process/identity.ts';
import { diskOf, usedBytes } from '../restoring/disk.ts';
import { type ReplayProgress, startInstance } from '../restoring/instance.ts';
import { findCopying } from './copying.ts';
import { endLocked, sweep } from './ending.ts';
import { type PastParts, socketDirectory } from './parts.ts';
import { prepareData } from './preparing.ts';
import { dataOf, type InstanceRecord, type PastTarget, takeLock } from './scratch.ts';

export interface PastWish {
  readonly target: PastTarget;
  /** The one nearest before the target. */
  readonly backup: RepositoryBackup;
  /** From there to the target; `null`: not known. */
  readonly walBytes: number | null;
  /** The newest of the archive; `latest`: it has none but the first. */
  readonly timeline: number | 'latest';
  readonly lifeMs: number;
  readonly limits: PastLimits;
}

export interface PastReports {
  /** Called once the way is known. */
  readonly onMethod: (method: Method) => void;
  readonly onRestored: (progress: TransferProgress) => void;
  readonly onReplayed: (progress: ReplayProgress) => void;
}

const firstPort = 15_432;

/** Throws REFUSED where there is no room, CONFLICT when somebody else opens one, and what a restore and a recovery throw. */
export async function openPast(
  parts: PastParts,
  wish: PastWish,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord> {
  await sweep(parts);
  return await withLock(parts, async () => {
    const { id, release } = takeFreeId(parts);
    try {
      return await openUnderLock(parts, wish, reports, options, id);
    } finally {
      release();
    }
  });
}

/** What was replayed in a base may be of a timeline that the cluster has left, or more than was on record (xlogrecovery.c). */
const leadsNowhere = /not a child of this server's history|before consistent recovery point/;

async function withLock<T>({ scratch }: PastParts, work: () => Promise<T>): Promise<T> {
  const release = takeLock(scratch.directory);
  if (release === null) {
    throw new UnderstudyError('CONFLICT', 'another command opens or moves an instance of the past on this node', {
      hint: 'wait until it has: understudy past list',
    });
  }
  try {
    return await work();
  } finally {
    release();
  }
}

/** With its lock: one that is moved backward has its name, and is not on record for a while. */
function takeFreeId({ scratch }: PastParts): { readonly id: string; readonly release: () => void } {
  const taken = new Set(scratch.instances().map(({ id }) => id));
  for (let number = 1; ; number += 1) {
    const id = `p${number}`;
    const release = taken.has(id) ? null : takeLock(scratch.directory, id);
    if (release !== null) return { id, release };
  }
}

async function openUnderLock(
  parts: PastParts,
  wish: PastWish,
  reports: PastReports,
  options: ActOptions,
  id: string,
): Promise<InstanceRecord> {
  const copying = await findCopying(parts.scratch.directory);
  const first = methodFor(parts, wish, copying);
  try {
    return await openBy(parts, wish, { id, copying, method: first }, reports, options);
  } catch (error) {
    const isAsWas = first.by !== 'restore' && first.base === null;
    if (!isAsWas || !isUnderstudyError(error, 'RESTORE_FAILED') || !leadsNowhere.test(error.message)) throw error;
    const method = methodFor(parts, wish, copying);
    return await openBy(parts, wish, { id, copying, method }, reports, options);
  }
}

function methodFor({ scratch }: PastParts, { backup, target }: PastWish, copying: Copying): Method {
  return decideMethod({
    copying,
    base: scratch.readBase(),
    backup: { label: backup.label, finishedMs: Date.parse(backup.finishedAt) },
    targetMs: target.type === 'time' ? target.atMs : null,
  });
}

interface Way {
  readonly id: string;
  readonly copying: Copying;
  readonly method: Method;
}

async function openBy(
  parts: PastParts,
  wish: PastWish,
  way: Way,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord> {
  const { clock, node, scratch } = parts;
  const { copying, id, method } = way;
  await requireRoom(parts, wish, method, options.signal);
  reports.onMethod(method);
  const beganMs = clock.boottimeMs();
  const openedAtMs = clock.wallClock().getTime();
  const record: InstanceRecord = {
    ...{ version: 1, id, node, state: 'opening', owner: self(), target: wish.target, label: wish.backup.label },
    ...{ method: method.by, because: method.because, port: firstPort + Number(id.slice(1)) },
    ...{ openedAtMs, expiresAtMs: openedAtMs + wish.lifeMs, tookMs: null, reached: null },
  };
  scratch.writeInstance(record);
  try {
    const preparation = { method, copying, backup: wish.backup, id, onProgress: reports.onRestored };
    await prepareData(parts, preparation, options);
    const reached = await recover(parts, record, wish.timeline, reports, options);
    const open: InstanceRecord = { ...record, state: 'open', tookMs: clock.boottimeMs() - beganMs, reached };
    scratch.writeInstance(open);
    return open;
  } catch (error) {
    await giveUp(parts, record, way);
    throw error;
  }
}

/** A base that was taken comes back as one to be restored again. */
async function giveUp(parts: PastParts, record: InstanceRecord, { method }: Way): Promise<void> {
  const { scratch } = parts;
  const base = scratch.readBase();
  if (method.base === null && base !== null && base.isReplayed) scratch.writeBase({ ...base, isWhole: false });
  await endLocked(parts, record, { warm: false, hasBaseLock: true });
}

function self(): InstanceRecord['owner'] {
  const found = identify(process.pid);
  if (found === null) throw new UnderstudyError('BROKEN_INVARIANT', 'this process does not find itself in /proc');
  return found;
}

async function recover(
  parts: PastParts,
  { id, port, target }: InstanceRecord,
  timeline: PastWish['timeline'],
  { onReplayed }: Pick<PastReports, 'onReplayed'>,
  options: ActOptions,
): Promise<NonNullable<InstanceRecord['reached']>> {
  const { binaries, clock, repository, scratch } = parts;
  const data = dataOf(scratch.place(id));
  const request = {
    ...{ data, directory: socketDirectory(parts, id), port, binaries },
    ...({ target: { type: target.type, value: target.value }, hold: 'pause', timeline } as const),
    // A copy has the command of what it was copied from, which names that directory.
    settings: { restore_command: repository.restoreCommand(data) },
  };
  const { reached, session } = await startInstance(request, clock, options, onReplayed);
  session.drop();
  return { lsn: reached.lsn, lastCommitAt: reached.lastCommitAt };
}

async function requireRoom(
  { scratch }: PastParts,
  wish: PastWish,
  method: Method,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { limits } = wish;
  const isWhole = method.by === 'restore' || method.base === 'restore';
  const facts = {
    instances: scratch.instances().length,
    usedBytes: limits.maxBytes === null ? 0 : await usedBytes([scratch.directory], signal),
    ...(await diskOf(scratch.directory)),
    neededBytes: restoredBytes(isWhole ? wish.backup.databaseBytes : 0, wish.walBytes),
  };
  const because = whyNoInstance(facts, limits);
  if (because === null) return;
  throw new UnderstudyError('REFUSED', because, { hint: 'understudy past list, and understudy past close ID' });
}

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
    if (isForward(record, wish.target)) return await moveForward(parts, record, wish, reports, options);
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
    const reached = await recover(parts, moving, wish.timeline, reports, options);
    const moved: InstanceRecord = { ...moving, state: 'open', tookMs: clock.boottimeMs() - beganMs, reached };
    scratch.writeInstance(moved);
    return moved;
  } catch (error) {
    await endLocked(parts, moving, { warm: false });
    throw error;
  }
}
