/**
 * Divergence rescue: keeps the WAL that this node has past the fork, and lists what it had committed there, before anything
 * of the directory is changed (PROTOCOLS, "Failover" 9).
 *
 * Order: the WAL is read and copied first, while nothing has touched it; only then is the directory opened in single-user
 * mode to learn the relations' names, because the checkpoint at the end of its recovery may remove WAL.
 * May be repeated: what is kept already is answered again. Refuses to work while a server runs. Removes nothing of the
 * data directory.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Divergence, Stretch } from '../core/divergence.ts';
import type { KeptWalLimits, Pruning } from '../core/kept-wal.ts';
import type { LostReport } from '../core/lost-report.ts';
import { formatLsn, type Lsn, lsnFromOffset } from '../core/lsn.ts';
import type { NodeName } from '../core/spec.ts';
import { segmentOf } from '../core/wal-segments.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Rescued } from '../ports/postgres.ts';
import type { Binaries } from './binaries.ts';
import { type ControlFile, readControl } from './control-file.ts';
import { settleSwap } from './journal.ts';
import { keptWalIn } from './kept-wal-store.ts';
import type { Layout } from './layout.ts';
import { composeReport, namedReport } from './lost-report-text.ts';
import { LostTransactions } from './lost-transactions.ts';
import { findServer } from './postmaster-file.ts';
import { relationNames } from './relation-names.ts';
import type { Deadline } from './waiting.ts';
import { dumpWal } from './wal-dump.ts';
import { pageBehind } from './wal-pages.ts';
import { segmentsIn } from './wal-segments.ts';

export interface RescueContext {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly node: NodeName;
  readonly clock: Clock;
}

export interface RescueRequest {
  readonly stretches: readonly Stretch[];
  /** Of the holder that this node comes back to. */
  readonly term: number;
  readonly limits: KeptWalLimits;
}

/** How far before the fork transactions are followed back that were open there, in bytes. */
const lookBackBytes = 64 * 1024 * 1024;

const nothingRemoved: Pruning['remove'] = [];

export async function rescue(context: RescueContext, request: RescueRequest, deadline: Deadline): Promise<Rescued> {
  const { layout, clock } = context;
  await settleSwap(layout);
  if (findServer(layout.data, layout.postmasterFile).alive !== 'nothing') {
    throw new UnderstudyError('RESCUE_FAILED', `a server still runs in ${layout.data}`);
  }
  const [at] = request.stretches;
  const reading = readControl(layout.controlFile);
  if (at === undefined || reading.found !== 'control') {
    throw new UnderstudyError('RESCUE_FAILED', `the control file of ${layout.data} is ${reading.found}`);
  }
  const store = keptWalIn(layout.state);
  const id = `${at.timeline}-${formatLsn(at.from).replace('/', '-')}`;
  const dataBytes = await bytesBelow(join(layout.data, 'base'));
  const known = await store.read(id);
  if (known !== null) return { found: foundIn(known, dataBytes), report: known, isNew: false, removed: nothingRemoved };
  const read = await readStretches(context, request.stretches, reading.control, deadline);
  if (read.transactions.last === null && read.damage === null) {
    return {
      found: { diverged: false, notKept: null, walBytes: 0, dataBytes },
      report: null,
      isNew: false,
      removed: nothingRemoved,
    };
  }
  const { remove, roomBytes } = await store.makeRoom(request.limits, read.bytes, clock.wallClock().getTime());
  const isRoom = read.bytes <= roomBytes;
  const notWhole =
    read.damage ?? (isRoom ? null : `${read.bytes} bytes of WAL are more than there is room for (${roomBytes})`);
  const report = composeReport(read.transactions, {
    id,
    node: context.node,
    at: clock.wallClock().toISOString(),
    term: request.term,
    timeline: at.timeline,
    forkLsn: formatLsn(at.from),
    walBytes: read.pastBytes,
    whole: notWhole === null,
    notWhole,
    unnamed: null,
    keptBytes: isRoom ? read.bytes : 0,
  });
  await store.keep(report, isRoom ? read.files : []);
  const named = await withNames(context, report, read.transactions, deadline);
  if (named !== report) await store.amend(named);
  return { found: foundIn(named, dataBytes), report: named, isNew: true, removed: remove };
}

function foundIn(report: LostReport, dataBytes: number): Divergence {
  const { walBytes, whole, notWhole, keptBytes } = report;
  const notKept = !whole ? (notWhole ?? 'part of it can not be read') : keptBytes === 0 ? 'it was removed' : null;
  return { diverged: true, notKept, walBytes, dataBytes };
}

interface Reading {
  readonly transactions: LostTransactions;
  /** Absolute paths, all of which hold something past the fork. */
  readonly files: readonly string[];
  readonly bytes: number;
  readonly pastBytes: number;
  readonly damage: string | null;
}

async function readStretches(
  { layout, binaries }: RescueContext,
  stretches: readonly Stretch[],
  control: ControlFile,
  deadline: Deadline,
): Promise<Reading> {
  const directory = join(layout.data, 'pg_wal');
  const size = control.walSegmentBytes;
  const transactions = new LostTransactions();
  const files: string[] = [];
  let pastBytes = 0;
  let damage: string | null = null;
  for (const [index, { timeline, from, to }] of stretches.entries()) {
    const there = segmentsIn(directory, timeline, size);
    const numbers = new Set(there.map(({ number }) => number));
    const first = segmentOf(from, size);
    const before = index === 0 ? lookBack(numbers, first, size) : first;
    const range = { directory, timeline, from, to };
    if (before < first) {
      const early = { ...range, from: startOf(before, size), to: from };
      await dumpWal(binaries, early, (line) => transactions.line(line, false), deadline);
    }
    const earlier = transactions.last;
    const end = await dumpWal(binaries, range, (line) => transactions.line(line, true), deadline);
    const last = transactions.last === earlier ? null : transactions.last;
    const reached = end.at !== null && end.at > (last ?? from) ? end.at : (to ?? last ?? from);
    pastBytes += Number(reached - from);
    for (const { name, number } of there) {
      if (number >= first && number <= segmentOf(reached, size)) files.push(join(directory, name));
    }
    const behind = to === null ? pageBehind(directory, there, size, timeline, reached) : null;
    damage ??= damageOf({ timeline, from, to }, last, control, behind, end.because);
  }
  return { transactions, files, bytes: files.length * size, pastBytes, damage };
}

/** The first segment from which WAL goes on to the fork without a gap, but not further back than is worth it. */
function lookBack(numbers: ReadonlySet<bigint>, first: bigint, size: number): bigint {
  let before = first;
  for (let left = Math.ceil(lookBackBytes / size); left >= 0 && numbers.has(before - 1n); left -= 1) before -= 1n;
  return before;
}

function startOf(segment: bigint, size: number): Lsn {
  return lsnFromOffset(segment * BigInt(size));
}

/** WAL ends somewhere in any case; before something that is known to have been written it was damaged or removed. */
function damageOf(
  stretch: Stretch,
  last: Lsn | null,
  control: ControlFile,
  behind: bigint | null,
  because: string,
): string | null {
  const { timeline, from, to } = stretch;
  const where = last === null ? `from ${formatLsn(from)}` : `past ${formatLsn(last)}`;
  const text = `WAL of timeline ${timeline} can't be read ${where}: ${because}`;
  if (to !== null) return because === '' ? null : text;
  if (behind !== null) return `${text}; there is more from ${formatLsn(lsnFromOffset(behind))} on`;
  if (control.checkpointTimeline !== timeline || control.checkpointLsn < from) return null;
  return last === null || last < control.checkpointLsn ? text : null;
}

/** Of no use without names, and no reason to fail either. */
async function withNames(
  { layout, binaries }: RescueContext,
  report: LostReport,
  transactions: LostTransactions,
  deadline: Deadline,
): Promise<LostReport> {
  const files = new Set(transactions.lost.flatMap(({ relations }) => [...relations.keys()]));
  if (files.size === 0) return report;
  try {
    return namedReport(report, transactions, await relationNames(layout, binaries, deadline)(files));
  } catch (error) {
    deadline.check('naming what was lost');
    return { ...report, unnamed: describeError(error) };
  }
}

async function bytesBelow(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => null))?.size ?? 0;
  }
  return bytes;
}
