/**
 * Chooses the backup from which a target is recovered to, and how much WAL that takes; or says what could be recovered to instead.
 *
 * Invariant: what is chosen had ended before the target, and lies on the way that the WAL took to where the cluster is now. From a
 * younger one PostgreSQL would pass the target over, and go on to the end of the archive; from one on what a former primary wrote past the
 * fork it would not come to the present. Where the place of the target is not known (a transaction, a name), that is the oldest one.
 */
import { formatLsn, type Lsn, lsnFromOffset, parseLsn } from '../lsn.ts';
import type { RepositoryBackup, RepositoryContents } from '../repository.ts';
import { parseSegment } from '../wal-segments.ts';
import { formatMoment, parseMoment } from './moments.ts';
import type { Target } from './target.ts';
import { isOnPath, type PathPart } from './timeline-path.ts';
import type { RecoverableWindow } from './window.ts';

export interface ChoiceFacts {
  readonly contents: RepositoryContents;
  /** What is known of gaps and of the newest commit that is archived; `null`: nothing. */
  readonly window: RecoverableWindow | null;
  /** To the newest timeline; empty: nobody knows, and every backup counts. */
  readonly path: readonly PathPart[];
  readonly segmentBytes: number;
  /** The only backup that is asked for; left out: any. */
  readonly label?: string | undefined;
  /** By so much the clock may be behind by which the window's ends were read; none if left out. */
  readonly clockMarginMs?: number;
}

export interface Chosen {
  readonly backup: RepositoryBackup;
  readonly target: Target;
  /** From the backup's beginning to the target, nearly; `null`: nobody knows. */
  readonly walBytes: number | null;
}

export type NotPossible = {
  readonly because: 'repository' | 'no-backup' | 'too-early' | 'too-late' | 'gap';
  /** In one line: why, and what would be possible. */
  readonly text: string;
  /** ISO 8601; `null`: not known. */
  readonly earliest: string | null;
  readonly newest: string | null;
  /** All of the window, in words; `null`: not known. */
  readonly possible: string | null;
};

export type Choice = { readonly chosen: Chosen } | { readonly notPossible: NotPossible };

interface Dated {
  readonly backup: RepositoryBackup;
  readonly finishedMs: number;
  readonly stopLsn: Lsn;
}

/** Oldest first. Those with damaged pages only where there are no others. */
function usable({ contents, label, path, segmentBytes, window }: ChoiceFacts): readonly Dated[] {
  const unusable = new Set(window?.unusable.map(({ label }) => label));
  const dated = contents.backups.flatMap((backup): readonly Dated[] => {
    const [finishedMs, stopLsn] = [parseMoment(backup.finishedAt), parseLsn(backup.stopLsn)];
    if (label !== undefined && backup.label !== label) return [];
    if (finishedMs === undefined || stopLsn === undefined || unusable.has(backup.label)) return [];
    const last = parseSegment(backup.lastWal, segmentBytes);
    if (path.length > 0 && (last === undefined || !isOnPath(path, last.timeline, stopLsn))) return [];
    return [{ backup, finishedMs, stopLsn }];
  });
  const sound = dated.filter(({ backup }) => !backup.hasDamage);
  return (sound.length > 0 ? sound : dated).toSorted((a, b) => a.finishedMs - b.finishedMs);
}

/** Where the archive ends, as far as the repository tells. */
function archiveEnd({ contents, segmentBytes }: ChoiceFacts): Lsn | null {
  const last = contents.archived === null ? undefined : parseSegment(contents.archived.last, segmentBytes);
  return last === undefined ? null : lsnFromOffset((last.number + 1n) * BigInt(segmentBytes));
}

export function chooseBackup(facts: ChoiceFacts, target: Target): Choice {
  const { contents, window } = facts;
  const backups = usable(facts);
  const [first] = backups;
  const newestMs = window === null ? null : Math.max(...window.stretches.map(({ toMs }) => toMs));
  const refuse = (because: NotPossible['because'], text: string): Choice => ({
    notPossible: {
      because,
      text,
      earliest: first === undefined ? null : formatMoment(first.finishedMs),
      newest: newestMs === null || !Number.isFinite(newestMs) ? null : formatMoment(newestMs),
      possible: possibleText(window),
    },
  });
  if (contents.state !== 'ok' && contents.state !== 'empty') {
    return refuse('repository', `the repository can't be read: ${contents.trouble ?? contents.state}`);
  }
  if (first === undefined && facts.label !== undefined) {
    return refuse('no-backup', `there is no backup ${facts.label} to recover from`);
  }
  if (first === undefined) {
    const others = contents.backups.length === 0 ? '' : ': those that are there are of other timelines, or not whole';
    return refuse('no-backup', `there is no backup to recover from${others}`);
  }
  const found = fitting(target, backups);
  if (found === undefined) return refuse('too-early', tooEarly(target, first));
  const beyond = tooLate(facts, target, newestMs) ?? inGap(facts, target) ?? behindGap(facts, target, found);
  if (beyond !== null) return refuse(beyond.because, beyond.text);
  return { chosen: { backup: found.backup, target, walBytes: walBytes(facts, found, backups, target) } };
}

function fitting(target: Target, backups: readonly Dated[]): Dated | undefined {
  switch (target.type) {
    case 'latest':
      return backups.at(-1);
    case 'time':
      return backups.findLast(({ finishedMs }) => finishedMs <= target.atMs);
    case 'lsn': {
      const lsn = parseLsn(target.value);
      return lsn === undefined ? undefined : backups.findLast(({ stopLsn }) => stopLsn <= lsn);
    }
    case 'xid':
    case 'name':
      return backups[0];
    default:
      return target satisfies never;
  }
}

function tooEarly(target: Target, first: Dated): string {
  const what = 'value' in target ? target.value : target.type;
  const from = target.type === 'lsn' ? formatLsn(first.stopLsn) : formatMoment(first.finishedMs);
  return `${what} is before the first backup ended: the earliest possible is ${from}`;
}

function tooLate(facts: ChoiceFacts, target: Target, newestMs: number | null) {
  if (target.type === 'lsn') {
    const end = archiveEnd(facts);
    const lsn = parseLsn(target.value);
    if (end === null || lsn === undefined || lsn <= end) return null;
    return {
      because: 'too-late',
      text: `${target.value} is not archived: the newest possible is ${formatLsn(end)}`,
    } as const;
  }
  const marginMs = facts.clockMarginMs ?? 0;
  // That is a gap, although nothing can be recovered to behind it.
  if (facts.window?.stretches.at(-1)?.end.because === 'wal-missing') return null;
  if (target.type !== 'time' || newestMs === null || target.atMs <= newestMs + marginMs) return null;
  const text = `${target.value} is not archived: no commit after ${formatMoment(newestMs)} is known to be archived: that is the newest possible, or latest`;
  return { because: 'too-late', text } as const;
}

function inGap({ clockMarginMs = 0, window }: ChoiceFacts, target: Target) {
  if (window === null || target.type !== 'time') return null;
  const { atMs } = target;
  if (window.stretches.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs + clockMarginMs)) return null;
  const before = window.stretches.findLast(({ toMs }) => toMs < atMs);
  const after = window.stretches.find(({ fromMs }) => fromMs > atMs);
  const nearest = [
    ...(before === undefined ? [] : [`${formatMoment(before.toMs)} before it`]),
    ...(after === undefined ? [] : [`${formatMoment(after.fromMs)} after it`]),
  ];
  const which = before?.end.because === 'wal-missing' ? ` (from ${before.end.segment} on)` : '';
  const text = `WAL is missing around ${target.value}${which}: possible are ${nearest.join(', and ')}`;
  return { because: 'gap', text } as const;
}

/** The position is archived, and WAL between the backup and it is not. */
function behindGap({ window }: ChoiceFacts, target: Target, { backup }: Dated) {
  const stretch = window?.stretches.find(({ backups }) => backups.includes(backup.label));
  if (target.type !== 'lsn' || stretch?.end.because !== 'wal-missing') return null;
  const [lsn, end] = [parseLsn(target.value), parseLsn(stretch.endLsn)];
  if (lsn === undefined || end === undefined || lsn <= end) return null;
  const text = `WAL is missing before ${target.value} (from ${stretch.end.segment} on): possible is up to ${stretch.endLsn}`;
  return { because: 'gap', text } as const;
}

const stretchesShown = 4;

/** `null`: not known. An end that is not known is left open. */
export function possibleText(window: RecoverableWindow | null): string | null {
  if (window === null || window.stretches.length === 0) return null;
  const shown = window.stretches.slice(-stretchesShown);
  const texts = shown.map(({ fromMs, toMs }) => {
    const to = Number.isFinite(toMs) ? formatMoment(toMs) : 'the end of the archive';
    return `${formatMoment(fromMs)} to ${to}`;
  });
  const more = window.stretches.length - shown.length;
  return `${more === 0 ? '' : `${more} earlier stretches, and `}${texts.join(', and ')}`;
}

/** For a time between two backups as if as much were written in each second between them. */
function walBytes(facts: ChoiceFacts, found: Dated, backups: readonly Dated[], target: Target): number | null {
  const from = parseLsn(found.backup.startLsn);
  const end = archiveEnd(facts);
  if (from === undefined) return null;
  const to = target.type === 'lsn' ? (parseLsn(target.value) ?? null) : end;
  const upTo = to === null || to < from ? null : Number(to - from);
  if (target.type !== 'time' || upTo === null) return upTo;
  const next = backups.find(({ finishedMs }) => finishedMs > target.atMs);
  if (next === undefined) return upTo;
  const share = (target.atMs - found.finishedMs) / Math.max(1, next.finishedMs - found.finishedMs);
  return Math.max(0, Math.round(Number(found.stopLsn - from) + share * Number(next.stopLsn - found.stopLsn)));
}
