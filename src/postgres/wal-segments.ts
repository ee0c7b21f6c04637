/**
 * The WAL files of one timeline in a directory: which there are, and which hold a given stretch.
 *
 * A name is the timeline and the number of the segment, eight hexadecimal digits each of timeline, number / N and
 * number % N, N being how many segments make 4 GiB (documentation 30.6 "WAL Internals").
 */
import { readdirSync } from 'node:fs';
import type { Lsn } from '../core/lsn.ts';

export interface Segment {
  readonly name: string;
  readonly number: bigint;
}

const fourGib = 0x1_0000_0000n;

export function segmentOf(lsn: Lsn, segmentBytes: number): bigint {
  return lsn / BigInt(segmentBytes);
}

/** `null`: the name is none of a whole segment. */
export function segmentNumber(name: string, segmentBytes: number): bigint | null {
  if (!/^[0-9A-F]{24}$/.test(name)) return null;
  const perLog = fourGib / BigInt(segmentBytes);
  return BigInt(`0x${name.slice(8, 16)}`) * perLog + BigInt(`0x${name.slice(16)}`);
}

/** Those of that timeline, oldest first; a gap ends nothing here. */
export function segmentsIn(directory: string, timeline: number, segmentBytes: number): readonly Segment[] {
  const beginning = timeline.toString(16).toUpperCase().padStart(8, '0');
  return readdirSync(directory)
    .filter((name) => name.startsWith(beginning))
    .flatMap((name) => {
      const number = segmentNumber(name, segmentBytes);
      return number === null ? [] : [{ name, number }];
    })
    .sort((a, b) => (a.number < b.number ? -1 : 1));
}
