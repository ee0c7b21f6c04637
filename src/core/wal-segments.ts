/**
 * WAL segments by their names: the timeline and the number of the segment, eight hexadecimal digits each of timeline,
 * number / N and number % N, N being how many segments make 4 GiB (documentation 30.6 "WAL Internals").
 */
import type { Lsn } from './lsn.ts';

export interface WalSegment {
  readonly timeline: number;
  /** Counted from the beginning of the WAL; the same on every timeline. */
  readonly number: bigint;
}

const fourGib = 0x1_0000_0000n;

/** That holds the byte at a position. */
export function segmentOf(lsn: Lsn, segmentBytes: number): bigint {
  return lsn / BigInt(segmentBytes);
}

export function segmentName({ timeline, number }: WalSegment, segmentBytes: number): string {
  const perLog = fourGib / BigInt(segmentBytes);
  const digits = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');
  return digits(BigInt(timeline)) + digits(number / perLog) + digits(number % perLog);
}

/** `undefined`: a history, a partial segment, or no file of the WAL. */
export function parseSegment(name: string, segmentBytes: number): WalSegment | undefined {
  if (!/^[0-9A-F]{24}$/.test(name)) return undefined;
  const perLog = fourGib / BigInt(segmentBytes);
  const [timeline, log, within] = [name.slice(0, 8), name.slice(8, 16), name.slice(16)].map((part) =>
    BigInt(`0x${part}`),
  );
  if (timeline === undefined || log === undefined || within === undefined || within >= perLog) return undefined;
  return { timeline: Number(timeline), number: log * perLog + within };
}
