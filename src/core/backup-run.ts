/**
 * A piece of work on the repository of backups: who does it, whether it lives, and what came of it. One at a time in the whole cluster,
 * since the program that does it knows only of its own host.
 *
 * Invariant: whoever does it proves in the store that it lives, and ends the program when it can't: earlier than anybody else may
 * count it as dead. So two never write to the repository at once.
 */
import type { ProofPart, Proven } from './backups/proof.ts';
import type { Stored } from './cluster-view.ts';
import type { ArchivedRange, RepositoryContents } from './repository.ts';
import type { NodeName } from './spec.ts';

export const backupWorks = ['full', 'differential', 'verify', 'expire', 'proof'] as const;
export type BackupWork = (typeof backupWorks)[number];

export function isBackup(work: BackupWork): work is 'full' | 'differential' {
  return work === 'full' || work === 'differential';
}

export interface BackupRun {
  /** Such as `B-0007`. */
  readonly id: string;
  readonly work: BackupWork;
  readonly node: NodeName;
  /** `schedule`, or who ordered it. */
  readonly by: string;
  /** ISO 8601. */
  readonly orderedAt: string;
  readonly state: 'ordered' | 'running' | 'done' | 'failed';
  /** Moves while it lives. */
  readonly counter: number;
  readonly progress: { readonly bytesDone: number; readonly bytesTotal: number | null } | null;
  readonly endedAt: string | null;
  /** How many of its kind had failed in a row before it. */
  readonly failuresBefore: number;
  /** In one line: what there is now, or why it failed. */
  readonly outcome: string | null;
  /** Who wants it to end; absent or `null`: nobody. The node that does it ends it. */
  readonly cancelledBy?: string | null | undefined;
  /** Of a proof alone. */
  readonly proof?: ProofPart | null | undefined;
}

/** A commit that is in the repository, and where in the WAL it is. */
export interface CommitMark {
  /** In ms since 1970. */
  readonly atMs: number;
  readonly timeline: number;
  readonly lsn: string;
}

/** What WAL was in the repository at the last look. Bounded: see backups/archived-wal.ts. */
export interface ArchivedWal {
  readonly segmentBytes: number;
  readonly ranges: readonly ArchivedRange[];
  /** Oldest first. */
  readonly marks: readonly CommitMark[];
  /** ISO 8601. A look may fail to list it, and what was listed before stays; absent when written by an older version. */
  readonly listedAt?: string | undefined;
}

export interface StalledArchive {
  /** ISO 8601. */
  readonly since: string;
  /** How much WAL comes in meanwhile; `null`: not known yet. */
  readonly bytesPerS: number | null;
}

/** What the primary's agent last saw of the repository. */
export interface RepositoryRecord {
  readonly node: NodeName;
  /** ISO 8601. */
  readonly lookedAt: string;
  readonly contents: RepositoryContents;
  /** Where that was seen; absent: an earlier version did not say. */
  readonly place?: string | undefined;
  /** When the newest commit was made that is known to be in the repository; `null`: none is known. */
  readonly safeUntil: string | null;
  /** `null`: not listed yet. */
  readonly archive: ArchivedWal | null;
  /** The archiver has failed for more than a minute; `null`: it has not. */
  readonly stalled: StalledArchive | null;
}

/** It ended since somebody wanted it to: nothing is wrong, and nothing is done. */
export function wasCancelled({ cancelledBy, state }: BackupRun): boolean {
  return state === 'failed' && cancelledBy !== null && cancelledBy !== undefined;
}

/** In a row, as of now. One that was cancelled is owed as before: it counts, so that it is not begun again at once. */
export function failuresOf(ended: BackupRun | undefined): number {
  return ended?.state === 'failed' ? ended.failuresBefore + 1 : 0;
}

/** In a row before one that is ordered now: those that nobody cancelled. */
export function failuresBeforeNext(ended: BackupRun | undefined): number {
  return ended !== undefined && wasCancelled(ended) ? ended.failuresBefore : failuresOf(ended);
}

/** The last success as of the end of that proof; `null`: there was none. */
export function lastProven(ended: BackupRun | undefined): Proven | null {
  const part = ended?.proof;
  if (ended === undefined || part === null || part === undefined) return null;
  if (ended.state !== 'done' || part.result === null || ended.endedAt === null) return part.provenBefore;
  return { at: ended.endedAt, moment: part.result.moment, tookMs: part.result.tookMs };
}

/** Between two proofs of life. */
export const beatEveryMs = 3_000;
/** Who could not prove it for so long ends the program. */
export const endAfterMs = 20_000;
/** Who saw no proof for so long counts it as dead: time for the program to end lies between. */
export const deadAfterMs = 45_000;

export function isEnded({ state }: BackupRun): boolean {
  return state === 'done' || state === 'failed';
}

function runNumber({ id }: Pick<BackupRun, 'id'>): number {
  return Number(id.replace(/^B-/, ''));
}

/** By their order. */
export function isLaterRun(run: Pick<BackupRun, 'id'>, than: Pick<BackupRun, 'id'>): boolean {
  return runNumber(run) > runNumber(than);
}

export function nextRunId(last: Stored<BackupRun> | null): string {
  const number = last === null ? 0 : runNumber(last.value);
  return `B-${String(number + 1).padStart(4, '0')}`;
}

export function endedOrNone(run: Stored<BackupRun> | null): boolean {
  return run === null || isEnded(run.value);
}

/** Another one after each change of the record; `null`: there is none. */
export function stampOf(run: Pick<BackupRun, 'id' | 'counter'> | null): string | null {
  return run === null ? null : `${run.id}:${run.counter}`;
}
