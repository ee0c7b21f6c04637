/**
 * On which timeline is the WAL that ends at a given place? The control file can't say: it follows only with the next
 * restart point, so a standby that crashes minutes after it has gone over to a new timeline still has the old one there
 * (seen on 15); and the WAL receiver says it only while it lives.
 *
 * The answer is the one that PostgreSQL itself would come to when it starts there (xlogrecovery.c, XLogFileReadAnyTLI): of
 * the timelines that go on from the one in the control file, the newest that left its parent before that place and has the
 * segment that holds its last byte. Segments that were made or renamed for later use are none: their first page does not
 * bear their own address (access/xlog_internal.h, XLogPageHeaderData). Later pages are not looked at, since a switch of
 * segments leaves them empty. Refuses to guess: a timeline without its history file is none.
 */
import { closeSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { walFileName } from '../core/last-words.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';
import { openQuietly, readQuietly } from '../process/quiet-file.ts';

export interface TimelineFork {
  readonly parent: number;
  readonly lsn: Lsn;
}

/** Where a timeline left its parent (documentation 26.3.6): the last line of its history file. */
export function readFork(walDirectory: string, timeline: number): TimelineFork | null {
  return readHistory(walDirectory, timeline).at(-1) ?? null;
}

export function historyName(timeline: number): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
}

/** All that it goes back to, oldest first; empty for the first, and for one that nothing is known of. */
export function readHistory(walDirectory: string, timeline: number): readonly TimelineFork[] {
  const name = historyName(timeline);
  let text: string;
  try {
    text = readQuietly(join(walDirectory, name)).toString('utf8');
  } catch {
    return []; // the first timeline has none
  }
  return text.split('\n').flatMap((line) => {
    const [, parent, at] = /^\s*(\d+)\s+(\S+)/.exec(line) ?? [];
    const lsn = parseLsn(at ?? '');
    return lsn === undefined ? [] : [{ parent: Number(parent), lsn }];
  });
}

export interface WalPlace {
  /** The timeline that the control file names: the WAL goes on from it. */
  readonly known: number;
  readonly segmentBytes: number;
  readonly end: Lsn;
}

/** `null`: it can't be determined, and the position must not be told to anybody. */
export function timelineAt(walDirectory: string, { known, segmentBytes, end }: WalPlace): number | null {
  if (end === 0n) return null;
  const lastByte = end - 1n;
  const segmentStart = lastByte - (lastByte % BigInt(segmentBytes));
  const place = walFileName(0, lastByte, segmentBytes).slice(8);
  try {
    const timelines = readdirSync(walDirectory)
      .filter((name) => /^[0-9A-F]{24}$/.test(name) && name.endsWith(place))
      .filter((name) => isOfItsPlace(join(walDirectory, name), segmentStart))
      .map((name) => Number.parseInt(name.slice(0, 8), 16))
      .sort((a, b) => b - a);
    const holds = (timeline: number): boolean => {
      const history = readHistory(walDirectory, timeline);
      const goesOn = timeline === known || history.some(({ parent }) => parent === known);
      const fork = history.at(-1)?.lsn ?? (timeline === 1 ? 0n : end);
      return goesOn && fork < end;
    };
    return timelines.find(holds) ?? null;
  } catch {
    return null; // a file that went away between two looks: the next look tells
  }
}

function isOfItsPlace(path: string, start: bigint): boolean {
  const file = openQuietly(path);
  try {
    const header = Buffer.alloc(16);
    return readSync(file, header, 0, header.length, 0) === header.length && header.readBigUInt64LE(8) === start;
  } finally {
    closeSync(file);
  }
}
