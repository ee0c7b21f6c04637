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

/** Those of that timeline, oldest first; a gap ends nothing here. */
export function segmentsIn(directory: string, timeline: number, segmentBytes: number): readonly Segment[] {
  const perLog = fourGib / BigInt(segmentBytes);
  const beginning = timeline.toString(16).toUpperCase().padStart(8, '0');
  return readdirSync(directory)
    .filter((name) => /^[0-9A-F]{24}$/.test(name) && name.startsWith(beginning))
    .map((name) => ({
      name,
      number: BigInt(`0x${name.slice(8, 16)}`) * perLog + BigInt(`0x${name.slice(16)}`),
    }))
    .sort((a, b) => (a.number < b.number ? -1 : 1));
}
