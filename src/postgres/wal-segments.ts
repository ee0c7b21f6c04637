/** The WAL files of one timeline in a directory. */
import { readdirSync } from 'node:fs';
import { parseSegment } from '../core/wal-segments.ts';

export interface Segment {
  readonly name: string;
  readonly number: bigint;
}

/** Those of that timeline, oldest first; a gap ends nothing here. */
export function segmentsIn(directory: string, timeline: number, segmentBytes: number): readonly Segment[] {
  return readdirSync(directory)
    .flatMap((name) => {
      const segment = parseSegment(name, segmentBytes);
      return segment?.timeline === timeline ? [{ name, number: segment.number }] : [];
    })
    .sort((a, b) => (a.number < b.number ? -1 : 1));
}
