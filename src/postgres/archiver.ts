/**
 * What this product asks of PostgreSQL's archiver: that a stop does not wait for it, and that what a former primary may not
 * have archived is archived by the next one.
 *
 * A fast stop ends only when the archiver has had its last turn (postmaster.c, PM_SHUTDOWN_2), and that turn lasts as long as
 * the repository takes, or some seconds of retries. So the command is told by a file to end with 126 at once: the archiver then
 * ends with it instead of trying again (pgarch.c, pgarch_archiveXlog). Nothing is lost by it: the segments stay marked, and are
 * archived by whoever is primary next.
 *
 * A standby marks what it received as archived, although it can't know whether the primary came to it. Whoever is promoted
 * takes these marks back, as far as the repository is not known to have the segments; what it has already is passed over there.
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lsn, lsnFromOffset } from '../core/lsn.ts';
import { parseSegment, segmentOf } from '../core/wal-segments.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { identify, processesIn, readCommandLine, readProcess } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import type { Layout } from './layout.ts';
import { type Segment, segmentsIn } from './wal-segments.ts';
import { historyName, readHistory } from './wal-timeline.ts';

type Where = Pick<Layout, 'archiveHold' | 'archiveStatus' | 'data' | 'wal'>;

/** The command ends at once from now on, and so does the archiver with it. */
export function holdArchiver({ archiveHold }: Where): void {
  try {
    writeFileSync(archiveHold, '', { mode: 0o600 });
  } catch (error) {
    // A full disk must not keep a primary from stopping; it waits for the archiver then.
    if (!isFromSystem(error)) throw error;
  }
}

export function releaseArchiver({ archiveHold }: Where): void {
  rmSync(archiveHold, { force: true });
}

/** Ends what the archiver waits for. A signal ends the archiver, too; an exit code would have it try again. */
export function endArchiveCommand({ data }: Where): void {
  const processes = processesIn(data);
  const archivers = new Set(processes.map(({ pid }) => pid).filter(isArchiver));
  for (const { pid } of processes) {
    const command = archivers.has(readProcess(pid)?.parent ?? 0) ? identify(pid) : null;
    if (command !== null) sendSignal(command, 'SIGKILL');
  }
}

function isArchiver(pid: number): boolean {
  return /^postgres: .*\barchiver\b/.test(readCommandLine(pid)[0] ?? '');
}

export interface ReceivedWal {
  /** The server's own, new timeline. */
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Up to there it is known to be archived; `null`: nothing is. */
  readonly after: Lsn | null;
}

/**
 * Has the WAL of the timelines that this one goes back to archived, as far as it is here and ends after `after`, and their history
 * files. Answers how many segments.
 *
 * Some have no mark at all: a standby makes it when it begins the next segment, and forgets the one that it was at when it is
 * restarted or promoted. PostgreSQL would mark those when it removes them (xlogarchive.c, XLogArchiveCheckDone), and until then they
 * would be missing in the archive. The segment in which a timeline was left is not whole, and PostgreSQL's own to archive.
 */
export function archiveReceived({ archiveStatus, wal }: Where, { timeline, segmentBytes, after }: ReceivedWal): number {
  const marks = new Set(readdirSync(archiveStatus));
  const doubt = (name: string): boolean => {
    const ready = join(archiveStatus, `${name}.ready`);
    if (marks.has(`${name}.done`)) renameSync(join(archiveStatus, `${name}.done`), ready);
    else if (!marks.has(`${name}.ready`)) writeFileSync(ready, '', { mode: 0o600 });
    else return false;
    return true;
  };
  let count = 0;
  for (const { parent, lsn } of readHistory(wal, timeline)) {
    const whole = segmentsIn(wal, parent, segmentBytes).filter(({ number }) => number < segmentOf(lsn, segmentBytes));
    const isOwed = ({ number }: Segment) => after === null || endOf(number, segmentBytes) > after;
    count += whole.filter((segment) => isOwed(segment) && doubt(segment.name)).length;
    if (marks.has(`${historyName(parent)}.done`)) doubt(historyName(parent));
  }
  return count;
}

function endOf(number: bigint, segmentBytes: number): Lsn {
  return lsnFromOffset((number + 1n) * BigInt(segmentBytes));
}

/**
 * Where the WAL ends that is archived with this file; `null`: it is neither a segment's nor that of a backup, which comes behind its
 * segment since names are archived in their order.
 */
export function archivedWith(name: string, segmentBytes: number): Lsn | null {
  const number = parseSegment(name.replace(/\.[0-9A-F]{8}\.backup$/, ''), segmentBytes)?.number ?? null;
  return number === null ? null : endOf(number, segmentBytes);
}
