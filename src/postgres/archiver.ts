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
 * takes these marks back, as far as the repository is not known to have the segments; one that it has already is passed over.
 */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lsn, lsnFromOffset } from '../core/lsn.ts';
import { parseSegment } from '../core/wal-segments.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { identify, processesIn, readCommandLine, readProcess } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import type { Layout } from './layout.ts';

type Where = Pick<Layout, 'archiveHold' | 'archiveStatus' | 'data'>;

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

/**
 * Has the WAL of former timelines archived that ends after `archivedTo`, as far as it is here, and their history files.
 * `null`: nothing is known to be archived. Answers how many segments.
 */
export function archiveAgain({ archiveStatus }: Where, archivedTo: Lsn | null, segmentBytes: number): number {
  let count = 0;
  for (const mark of readdirSync(archiveStatus)) {
    const name = /^(.+)\.done$/.exec(mark)?.[1];
    if (name === undefined) continue;
    const number = parseSegment(name, segmentBytes)?.number ?? null;
    const end = number === null ? null : (number + 1n) * BigInt(segmentBytes);
    const isKnown = end !== null && archivedTo !== null && end <= archivedTo;
    if (isKnown || (end === null && !name.endsWith('.history'))) continue;
    renameSync(join(archiveStatus, mark), join(archiveStatus, `${name}.ready`));
    if (end !== null) count += 1;
  }
  return count;
}

/**
 * Where the WAL ends that is archived with this file; `null`: it is neither a segment's nor that of a backup, which comes behind its
 * segment since names are archived in their order.
 */
export function archivedWith(name: string, segmentBytes: number): Lsn | null {
  const number = parseSegment(name.replace(/\.[0-9A-F]{8}\.backup$/, ''), segmentBytes)?.number ?? null;
  return number === null ? null : lsnFromOffset((number + 1n) * BigInt(segmentBytes));
}
