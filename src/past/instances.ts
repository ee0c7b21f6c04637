/**
 * Opens instances of the past: read-only servers on the database as it was.
 *
 * Invariant: an instance is on record before anything of it exists, as somebody's who lives; whoever dies in between leaves what the
 * next sweep removes. Whoever opens or moves one holds its lock meanwhile. It never archives, listens at a Unix socket alone, and touches nothing outside of the scratch directory.
 */
import { whyNoInstance } from '../core/backups/past-limits.ts';
import { type Copying, decideMethod, type Method } from '../core/backups/past-method.ts';
import { restoredBytes } from '../core/backups/room.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { identify } from '../process/identity.ts';
import { diskOf, usedBytes } from '../restoring/disk.ts';
import { withKeptWal } from '../restoring/standby-copy.ts';
import { findCopying } from './copying.ts';
import { endLocked, sweep } from './ending.ts';
import type { PastParts } from './parts.ts';
import { prepareCopy, prepareData } from './preparing.ts';
import { type Reached, recover } from './recovering.ts';
import { type InstanceRecord, type PastTarget, takeLock } from './scratch.ts';
import type { FromRepository, FromStandby, PastReports, PastWish } from './wish.ts';

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

export async function withLock<T>({ scratch }: PastParts, work: () => Promise<T>): Promise<T> {
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

/** By who holds the lock of the scratch directory, and that of the instance. */
export async function openUnderLock(
  parts: PastParts,
  wish: PastWish,
  reports: PastReports,
  options: ActOptions,
  id: string,
): Promise<InstanceRecord> {
  const { source } = wish;
  if (source.from === 'standby') {
    const method: Method = { by: 'delayed-standby', base: null, takesBase: false, because: source.because };
    return await openBy(parts, wish, { id, method, source }, reports, options);
  }
  const copying = await findCopying(parts.scratch.directory);
  const decide = (): Method => methodFor(parts, wish.target, source, copying);
  const first = decide();
  try {
    return await openBy(parts, wish, { id, method: first, source: { ...source, copying } }, reports, options);
  } catch (error) {
    const isAsWas = first.by !== 'restore' && first.base === null;
    if (!isAsWas || !isUnderstudyError(error, 'RESTORE_FAILED') || !leadsNowhere.test(error.message)) throw error;
    return await openBy(parts, wish, { id, method: decide(), source: { ...source, copying } }, reports, options);
  }
}

function methodFor({ scratch }: PastParts, target: PastTarget, { backup }: FromRepository, copying: Copying): Method {
  return decideMethod({
    copying,
    base: scratch.readBase(),
    backup: { label: backup.label, finishedMs: Date.parse(backup.finishedAt) },
    targetMs: target.type === 'time' ? target.atMs : null,
  });
}

interface Way {
  readonly id: string;
  readonly method: Method;
  readonly source: (FromRepository & { readonly copying: Copying }) | FromStandby;
}

async function openBy(
  parts: PastParts,
  wish: PastWish,
  way: Way,
  reports: PastReports,
  options: ActOptions,
): Promise<InstanceRecord> {
  const { clock, node, scratch } = parts;
  const { id, method, source } = way;
  await requireRoom(parts, wish, method, options.signal);
  reports.onMethod(method);
  const beganMs = clock.boottimeMs();
  const openedAtMs = clock.wallClock().getTime();
  const record: InstanceRecord = {
    ...{ version: 1, id, node, state: 'opening', owner: self(), target: wish.target },
    label: source.from === 'repository' ? source.backup.label : null,
    ...{ method: method.by, because: method.because, port: firstPort + Number(id.slice(1)) },
    ...{ openedAtMs, expiresAtMs: openedAtMs + wish.lifeMs, tookMs: null, reached: null },
  };
  scratch.writeInstance(record);
  try {
    const reached = await fill(parts, record, way, reports, options);
    const open: InstanceRecord = { ...record, state: 'open', tookMs: clock.boottimeMs() - beganMs, reached };
    scratch.writeInstance(open);
    return open;
  } catch (error) {
    await giveUp(parts, record, way);
    throw error;
  }
}

/** What is there by then of an attempt that fails is left, and on record. */
async function fill(
  parts: PastParts,
  record: InstanceRecord,
  { id, method, source }: Way,
  reports: PastReports,
  options: ActOptions,
): Promise<Reached> {
  const onProgress = reports.onRestored;
  if (source.from === 'repository') {
    await prepareData(parts, { ...source, method, id, onProgress }, options);
    return await recover(parts, record, source, reports, options);
  }
  return await withKeptWal(source.standby, id, async () => {
    await prepareCopy(parts, source.standby, { id, onProgress }, options);
    return await recover(parts, record, source, reports, options);
  });
}

/** A base that was taken comes back as one to be restored again. */
async function giveUp(parts: PastParts, record: InstanceRecord, { method }: Way): Promise<void> {
  const { scratch } = parts;
  const base = scratch.readBase();
  const isAsWas = method.by !== 'delayed-standby' && method.base === null;
  if (isAsWas && base?.isReplayed === true) scratch.writeBase({ ...base, isWhole: false });
  await endLocked(parts, record, { warm: false, hasBaseLock: true });
}

export function self(): InstanceRecord['owner'] {
  const found = identify(process.pid);
  if (found === null) throw new UnderstudyError('BROKEN_INVARIANT', 'this process does not find itself in /proc');
  return found;
}

async function requireRoom(
  { scratch }: PastParts,
  wish: PastWish,
  method: Method,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { limits, source } = wish;
  const isWhole = method.by === 'restore' || method.base === 'restore' || source.from === 'standby';
  const databaseBytes = source.from === 'standby' ? source.databaseBytes : source.backup.databaseBytes;
  const facts = {
    instances: scratch.instances().length,
    usedBytes: limits.maxBytes === null ? 0 : await usedBytes([scratch.directory], signal),
    ...(await diskOf(scratch.directory)),
    neededBytes: restoredBytes(isWhole ? databaseBytes : 0, source.walBytes),
  };
  const because = whyNoInstance(facts, limits);
  if (because === null) return;
  throw new UnderstudyError('REFUSED', because, { hint: 'understudy past list, and understudy past close ID' });
}
