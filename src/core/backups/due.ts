/**
 * Which backup is to be made now, by the declared schedule, what the repository holds, and how the last attempts ended. Pure:
 * the time and the cron are arguments.
 *
 * A backup is owed when its schedule came round since the last one began. So what was missed while nothing ran is caught up once,
 * however often it was missed, nothing has to be remembered for that, and a failure is never forgotten. Invariants: never a second
 * one beside one that is under way; a differential one never without a full one, nor while a full one is owed; after a failure not
 * before a distance that grows. Does not know who may make it: that is the lease's.
 */
import type { BackupsSpec } from '../backups-spec.ts';
import type { RepositoryBackup, RepositoryContents } from '../repository.ts';
import type { NextAfter } from './calendar.ts';
import { parseMoment } from './moments.ts';

export type ScheduledKind = 'full' | 'differential';

/** Attempts of one kind that failed, since the last of it that succeeded. */
export interface Failures {
  readonly times: number;
  readonly lastAtMs: number;
}

/** What was attempted, as far as the repository doesn't tell: it knows only what succeeded. */
export interface Attempts {
  /** One is under way, whoever began it. */
  readonly underWay: ScheduledKind | null;
  readonly failed: Readonly<Partial<Record<ScheduledKind, Failures>>>;
}

export type Due =
  | {
      readonly do: 'backup';
      readonly kind: ScheduledKind;
      /** `first`: there is no full one at all. */
      readonly because: 'first' | 'scheduled' | 'missed' | 'retry';
      /** When it should have begun. */
      readonly dueAtMs: number;
    }
  | {
      readonly do: 'wait';
      readonly because:
        | 'not-due'
        | 'under-way'
        | 'retry-later'
        /** A differential one is owed, and by the schedule no full one ever comes. */
        | 'no-full'
        /** It would wait in vain for the WAL that it needs: the primary's server archives with its next start. */
        | 'archiving-off'
        | 'repository-unknown'
        | 'repository-unreachable'
        | 'repository-foreign';
      /** When this may be another answer by the time alone; `null`: it takes an event. */
      readonly untilMs: number | null;
    };

export type Schedule = Pick<BackupsSpec, 'full' | 'differential' | 'timeZone'>;

export interface DueFacts {
  /** `null`: not read yet. */
  readonly contents: Pick<RepositoryContents, 'state' | 'backups'> | null;
  readonly attempts: Attempts;
  /** Does the primary's server archive? `null`: not known. */
  readonly isArchiving: boolean | null;
  readonly nowMs: number;
  readonly nextAfter: NextAfter;
}

const firstRetryMs = 5 * 60_000;
const longestRetryMs = 60 * 60_000;
/** Who begins it may have a clock that is behind by this: or its backup would be owed again at once. */
const clockDifferenceMs = 60_000;
/** Later than this it was missed, and is caught up. */
const punctualMs = 10 * 60_000;

/** So long after the last of several failures in a row the next attempt is due, in ms: 5 min, 10, 20, 40, then every hour. */
export function retryDistanceMs(failures: number): number {
  return failures <= 0 ? 0 : Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10));
}

/** When what follows a schedule was owed first, if it was done last at `lastMs`; `null`: it is not owed yet. */
export function owedSince(
  expression: string | null,
  {
    timeZone,
    lastMs,
    nowMs,
    nextAfter,
  }: Pick<Schedule, 'timeZone'> & Pick<DueFacts, 'nowMs' | 'nextAfter'> & { readonly lastMs: number },
): number | null {
  if (expression === null) return null;
  const next = nextAfter(expression, timeZone, lastMs + clockDifferenceMs);
  return next === null || next > nowMs ? null : next;
}

function began(backup: RepositoryBackup): number {
  return parseMoment(backup.startedAt) ?? Number.NEGATIVE_INFINITY;
}

/** When the last began that does for this kind; `null`: there is none. A full one does for a differential one. */
function lastBegan(backups: readonly RepositoryBackup[], kind: ScheduledKind): number | null {
  const fitting = kind === 'full' ? backups.filter((backup) => backup.kind === 'full') : backups;
  return fitting.length === 0 ? null : Math.max(...fitting.map(began));
}

export function due(schedule: Schedule, facts: DueFacts): Due {
  const { contents, attempts, nowMs } = facts;
  if (contents === null) return { do: 'wait', because: 'repository-unknown', untilMs: null };
  if (contents.state === 'foreign') return { do: 'wait', because: 'repository-foreign', untilMs: null };
  if (contents.state === 'unreachable') return { do: 'wait', because: 'repository-unreachable', untilMs: null };
  if (attempts.underWay !== null) return { do: 'wait', because: 'under-way', untilMs: null };
  const owed = owedNow(schedule, contents.backups, facts);
  if (owed === null) {
    const { full, differential } = nextTimes(schedule, facts);
    const times = [full, differential].filter((time) => time !== null);
    return { do: 'wait', because: 'not-due', untilMs: times.length === 0 ? null : Math.min(...times) };
  }
  if (owed === 'no-full') return { do: 'wait', because: 'no-full', untilMs: null };
  if (facts.isArchiving === false) return { do: 'wait', because: 'archiving-off', untilMs: null };
  const failures = attempts.failed[owed.kind];
  const retryAtMs = failures === undefined ? null : failures.lastAtMs + retryDistanceMs(failures.times);
  if (retryAtMs !== null && retryAtMs > nowMs) return { do: 'wait', because: 'retry-later', untilMs: retryAtMs };
  const isLate = nowMs - owed.dueAtMs > punctualMs;
  const because = retryAtMs !== null ? 'retry' : owed.isFirst ? 'first' : isLate ? 'missed' : 'scheduled';
  return { do: 'backup', kind: owed.kind, because, dueAtMs: owed.dueAtMs };
}

interface Owed {
  readonly kind: ScheduledKind;
  readonly isFirst: boolean;
  readonly dueAtMs: number;
}

function owedNow(schedule: Schedule, backups: readonly RepositoryBackup[], facts: DueFacts): Owed | 'no-full' | null {
  const { timeZone } = schedule;
  const { nowMs, nextAfter } = facts;
  const lastFull = lastBegan(backups, 'full');
  if (lastFull === null) {
    if (schedule.full !== null) return { kind: 'full', isFirst: true, dueAtMs: nowMs };
    return schedule.differential === null ? null : 'no-full';
  }
  const fullAt = owedSince(schedule.full, { timeZone, lastMs: lastFull, nowMs, nextAfter });
  if (fullAt !== null) return { kind: 'full', isFirst: false, dueAtMs: fullAt };
  const last = lastBegan(backups, 'differential') ?? lastFull;
  const differentialAt = owedSince(schedule.differential, { timeZone, lastMs: last, nowMs, nextAfter });
  return differentialAt === null ? null : { kind: 'differential', isFirst: false, dueAtMs: differentialAt };
}

export interface NextTimes {
  readonly full: number | null;
  readonly differential: number | null;
}

/** When each comes round next, in ms; a differential one not where a full one does for it. `null`: never by itself. */
export function nextTimes(
  { full, differential, timeZone }: Schedule,
  { nowMs, nextAfter }: Pick<DueFacts, 'nowMs' | 'nextAfter'>,
): NextTimes {
  const nextFull = full === null ? null : nextAfter(full, timeZone, nowMs);
  const next = differential === null ? null : nextAfter(differential, timeZone, nowMs);
  const isCovered = next !== null && next === nextFull;
  return {
    full: nextFull,
    differential: isCovered && differential !== null ? nextAfter(differential, timeZone, next) : next,
  };
}

export interface ProofFacts extends Pick<DueFacts, 'nowMs' | 'nextAfter'> {
  /** When the last one began, however it ended; `null`: none ever did. */
  readonly lastMs: number | null;
  /** From when on there has been something to prove: the first backup's end. `null`: there is nothing. */
  readonly sinceMs: number | null;
  /** `null`: the last one succeeded. */
  readonly failed: Failures | null;
}

/** It restores a whole database: 1 h, 2, 4, 8, 16, then every day. */
function proofRetryDistanceMs(failures: number): number {
  return Math.min(24 * 3_600_000, 3_600_000 * 2 ** Math.min(failures - 1, 10));
}

/**
 * Whether a proof is owed: from when on; `null`: not now. The first comes round by the schedule, not with the first backup; one that
 * failed is tried again before its time.
 */
export function proofDue(
  { proof, timeZone }: Pick<BackupsSpec, 'proof' | 'timeZone'>,
  { failed, lastMs, sinceMs, nowMs, nextAfter }: ProofFacts,
): number | null {
  if (sinceMs === null || proof === null) return null;
  const againAtMs = failed === null ? null : failed.lastAtMs + proofRetryDistanceMs(failed.times);
  if (againAtMs !== null && againAtMs <= nowMs) return againAtMs;
  return owedSince(proof, { timeZone, lastMs: lastMs ?? sinceMs, nowMs, nextAfter });
}
