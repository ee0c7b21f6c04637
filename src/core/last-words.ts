/**
 * Last words: what a dead primary wrote and nobody received, read from its disk by those who may take over (PROTOCOLS,
 * "Failover" 2). Pieces of WAL files go from agent to agent after the release of the lease, so that a crash whose
 * restart fails costs no local commits either.
 */
import { segmentName } from './wal-segments.ts';

/** Asks for a piece of a file of `pg_wal`, from that byte on. */
export interface WalRequest {
  /** 24 hexadecimal digits: timeline and number of the segment (documentation 30.6). */
  readonly file: string;
  readonly offset: number;
}

export interface WalPiece {
  /** Base64. */
  readonly data: string;
  /** Nothing of that time follows, here or in a later file. */
  readonly isEnd: boolean;
}

/** The largest piece, in bytes: a request lasts some ten milliseconds. */
export const walPieceBytes = 1024 * 1024;

/** The file that holds a position. */
export function walFileName(timeline: number, position: bigint, segmentBytes: number): string {
  return segmentName({ timeline, number: position / BigInt(segmentBytes) }, segmentBytes);
}
