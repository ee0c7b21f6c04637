/**
 * Is there WAL behind what can be read? A crashed server ends in zeros or in pages of an older use of the file; a page with
 * its own address further on means that something in between was damaged.
 *
 * Rests on the page header (access/xlog_internal.h, XLogPageHeaderData: magic and flags, timeline at byte 4, address at 8),
 * the same in versions 13 to 18. The last record may be half written, so nothing within its greatest likely length counts.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Lsn } from '../core/lsn.ts';
import type { Segment } from './wal-segments.ts';

const pageBytes = 8_192n;
/** A record with full images of all the pages that it may name. */
const longestRecordBytes = 1_048_576n;
const headerBytes = 16;

/** The first such page at or after `end` plus the longest record; `null`: there is none. */
export function pageBehind(
  directory: string,
  segments: readonly Segment[],
  segmentBytes: number,
  timeline: number,
  end: Lsn,
): bigint | null {
  const size = BigInt(segmentBytes);
  const from = ((end + longestRecordBytes) / pageBytes + 1n) * pageBytes;
  for (const { name, number } of segments) {
    const start = number * size;
    if (start + size <= from) continue;
    const file = openSync(join(directory, name), 'r');
    try {
      // A file of its own time begins with its own address: the others need not be read further.
      const first = start > from ? start : from;
      for (let at = first; at < start + size; at += pageBytes) {
        if (isOwnPage(file, Number(at - start), timeline, at)) return at;
        if (start > from) break;
      }
    } finally {
      closeSync(file);
    }
  }
  return null;
}

function isOwnPage(file: number, offset: number, timeline: number, address: bigint): boolean {
  const header = Buffer.alloc(headerBytes);
  if (readSync(file, header, 0, headerBytes, offset) < headerBytes) return false;
  return header.readUInt32LE(4) === timeline && header.readBigUInt64LE(8) === address;
}
