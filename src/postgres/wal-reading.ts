/**
 * Reads WAL that a server left on its disk, a piece at a time, up to the last page of its own time.
 *
 * A segment is made before it is needed, from zeros or from an old one: only a page that bears its own address and
 * timeline was written for this place (access/xlog_internal.h, XLogPageHeaderData; the same in versions 13 to 18). Where
 * within its last page the WAL ends is for the reader's checksums to say. Refuses while any process of the server lives.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type WalPiece, type WalRequest, walPieceBytes } from '../core/last-words.ts';
import { readControl } from './control-file.ts';
import type { Layout } from './layout.ts';
import { findServer } from './postmaster-file.ts';

export const walPageBytes = 8_192;
const fileName = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

/** `null`: a server runs, or this is no place in its WAL. */
export async function readWal(layout: Layout, { file, offset }: WalRequest): Promise<WalPiece | null> {
  const [, timeline, log, segment] = fileName.exec(file) ?? [];
  const reading = readControl(layout.controlFile);
  if (timeline === undefined || log === undefined || segment === undefined || reading.found !== 'control') return null;
  const { walSegmentBytes } = reading.control;
  if (offset < 0 || offset % walPageBytes !== 0 || offset >= walSegmentBytes) return null;
  if (findServer(layout.data, layout.postmasterFile).alive !== 'nothing') return null;
  const bytes = await readAt(
    join(layout.data, 'pg_wal', file),
    offset,
    Math.min(walPieceBytes, walSegmentBytes - offset),
  );
  if (bytes === null) return { data: '', isEnd: true };
  const start = BigInt(`0x${log}`) * 0x1_0000_0000n + BigInt(`0x${segment}`) * BigInt(walSegmentBytes) + BigInt(offset);
  const own = ownPages(bytes, Number.parseInt(timeline, 16), start);
  return { data: bytes.subarray(0, own).toString('base64'), isEnd: own < bytes.length };
}

/** `null`: there is no such file. */
async function readAt(path: string, offset: number, length: number): Promise<Buffer | null> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return null;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** How many bytes from the start on are pages of this place. */
function ownPages(bytes: Buffer, timeline: number, start: bigint): number {
  let at = 0;
  while (at + walPageBytes <= bytes.length) {
    const isOwn = bytes.readUInt32LE(at + 4) === timeline && bytes.readBigUInt64LE(at + 8) === start + BigInt(at);
    if (!isOwn) return at;
    at += walPageBytes;
  }
  return at;
}
