/**
 * How the backups stand: how far back one can look, what is wrong with them, and what is still to be done.
 *
 * Invariant: what is wrong makes a cluster DEGRADED as long as it lasts; what comes right by itself, or waits for a person without
 * harm until then, is only told. WAL that waits is never lost, and fills the disk: so it is told how long the disk lasts.
 */
import { ageText, bytesText, countText } from '../amounts.ts';
import { type BackupRun, isEnded, lastProven, type RepositoryRecord, wasCancelled } from '../backup-run.ts';
import type { BackupsSpec } from '../backups-spec.ts';
import type { MemberStatus } from '../cluster-view.ts';
import type { NodeName } from '../spec.ts';
import type { BackupsStatus } from '../status.ts';
import type { Timelines } from '../timelines.ts';
import { windowOf } from './archived-wal.ts';
import type { ArchivingOff } from './archiving-off.ts';
import type { NextAfter } from './calendar.ts';
import { parseMoment } from './moments.ts';
import type { Proven } from './proof.ts';
import { provableSince, unproven } from './proof-health.ts';
import { timelinePath } from './timeline-path.ts';
import type { RecoverableWindow } from './window.ts';

export interface BackupsFacts {
  readonly backups: BackupsSpec | null;
  /** Has any node been given the secret of the repository? */
  readonly hasSecret: boolean;
  /** `null`: the primary archives, as far as is known. */
  readonly archivingOff: ArchivingOff | null;
  readonly repository: RepositoryRecord | null;
  readonly run: BackupRun | null;
  /** The last of each kind that ended. */
  readonly ended: readonly BackupRun[];
  readonly timelines: Timelines;
  /** The only database node; `null`: there are others. */
  readonly onlyNode: NodeName | null;
  /** `null`: there is none, or it has said nothing. */
  readonly primary: MemberStatus | null;
  /** Wall clock. */
  readonly nowMs: number;
  readonly nextAfter: NextAfter;
}

/** A segment is archived at least once a minute. */
export const oldCommitMs = 5 * 60_000;
/** A large archive is listed over many looks after a change of the primary. */
const oldListingMs = 60 * 60_000;

/** `null`: none are declared. */
export function backupsStanding(facts: BackupsFacts): BackupsStatus | null {
  const { backups, repository } = facts;
  if (backups === null) return null;
  const window = recoverable(facts);
  const proven = provenOf(facts);
  const old = unproven({ ...facts, backups, proven, sinceMs: provableSince(repository?.contents.backups ?? []) });
  const troubles = [
    repositoryTrouble(facts),
    archiveTrouble(facts),
    listingTrouble(facts),
    missingWal(window),
    ...facts.ended.map((run) => failedRun(run, facts.nowMs)),
    old?.isTodo === false ? old.text : null,
  ].filter((text) => text !== null);
  const waiting = [...todo(facts, backups), ...(old?.isTodo === true ? [old.text] : [])];
  return { window, safeUntil: repository?.safeUntil ?? null, troubles, proven, todo: waiting };
}

function provenOf({ ended }: BackupsFacts): Proven | null {
  return lastProven(ended.find(({ work }) => work === 'proof'));
}

/** As of the last look; `null`: not known. */
export function recoverable({
  repository,
  timelines,
}: Pick<BackupsFacts, 'repository' | 'timelines'>): RecoverableWindow | null {
  const newest = [...timelines.values()].toSorted((a, b) => a.term - b.term).at(-1);
  if (repository === null || newest === undefined) return null;
  return windowOf(repository, timelinePath(timelines.values(), newest.timeline));
}

function repositoryTrouble({ hasSecret, repository }: BackupsFacts): string | null {
  if (!hasSecret) return 'the secret of the repository of backups has not been given: understudy backup secret';
  const { contents } = repository ?? { contents: null };
  if (contents === null || contents.state === 'ok' || contents.state === 'empty') return null;
  return `nothing can be put into the repository of backups: ${contents.trouble ?? contents.state}`;
}

function archiveTrouble({ nowMs, primary, repository }: BackupsFacts): string | null {
  if (repository === null) return null;
  const { safeUntil, stalled } = repository;
  const ageMs = nowMs - (parseMoment(stalled?.since ?? safeUntil ?? '') ?? nowMs);
  if (stalled === null)
    return ageMs < oldCommitMs ? null : `the newest commit in the repository is ${ageText(ageMs)} old`;
  const parts = [waitingText(repository, primary), diskText(stalled.bytesPerS, primary)].filter(
    (text) => text !== null,
  );
  const rest = parts.length === 0 ? '' : `: ${parts.join('; ')}`;
  return `${primary?.node ?? repository.node} has archived no WAL for ${ageText(ageMs)}${rest}`;
}

function waitingText({ archive }: RepositoryRecord, primary: MemberStatus | null): string | null {
  const waiting = primary?.postgres.state === 'primary' ? (primary.postgres.archiveTrouble?.waiting ?? 0) : 0;
  if (waiting === 0) return null;
  const size = archive === null ? '' : ` (${bytesText(waiting * archive.segmentBytes)})`;
  return `${countText(waiting, 'file waits', 'files wait')}${size}`;
}

/** PostgreSQL uses files again as long as nothing waits; from then on all WAL takes room. */
function diskText(bytesPerS: number | null, primary: MemberStatus | null): string | null {
  const free = primary?.diskFreeBytes ?? null;
  if (free === null || bytesPerS === null || bytesPerS <= 0) return null;
  return `the disk lasts ${ageText((1_000 * free) / bytesPerS)} at the present rate`;
}

/** Looks succeed, and what WAL there is they don't learn: what is told of it is of the past. */
function listingTrouble({ repository }: BackupsFacts): string | null {
  const listedMs = parseMoment(repository?.archive?.listedAt ?? '');
  const lookedMs = parseMoment(repository?.lookedAt ?? '');
  if (listedMs === undefined || lookedMs === undefined || repository?.contents.state !== 'ok') return null;
  const ageMs = lookedMs - listedMs;
  if (ageMs < oldListingMs) return null;
  return `the WAL in the repository could not be listed for ${ageText(ageMs)}: what can be recovered to is as of then`;
}

/** A gap before the newest backup costs the past in it, and nothing of what comes. */
function missingWal(window: RecoverableWindow | null): string | null {
  const end = window?.stretches.at(-1)?.end;
  if (end?.because !== 'wal-missing') return null;
  return `WAL is missing in the repository, from ${end.segment} on: what came after it can't be restored before the next backup`;
}

function failedRun(run: BackupRun, nowMs: number): string | null {
  const { endedAt, failuresBefore, id, node, outcome, state, work } = run;
  if (state !== 'failed') return null;
  // What failed before is as it was.
  if (wasCancelled(run)) return failuresBefore === 0 ? null : `${work} failed before ${id}, which was ${outcome}`;
  const when = endedAt === null ? '' : ` ${ageText(nowMs - (parseMoment(endedAt) ?? nowMs))} ago`;
  return `${id}: ${work} on ${node} failed${when}: ${outcome ?? 'no reason given'}`;
}

function todo({ archivingOff, repository, run }: BackupsFacts, { full }: BackupsSpec): readonly string[] {
  if (archivingOff !== null) return [`${archivingOff.text}: ${archivingOff.commands}`];
  const contents = repository?.contents;
  if (contents === undefined || contents.backups.some(({ kind }) => kind === 'full')) return [];
  if (contents.state !== 'ok' && contents.state !== 'empty') return [];
  const isUnderWay = run !== null && !isEnded(run) && run.work === 'full';
  if (isUnderWay) return [`there is no full backup yet: ${run.id} makes one`];
  return [`there is no full backup yet${full === null ? ': understudy backup now' : ', one is due'}`];
}
