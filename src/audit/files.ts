/**
 * The files of an audit log: which there are, what one holds, and how the last of them ends.
 *
 * Invariant: a file is named by the sequence number of its first line; nothing but files so named is ever read or removed,
 * and no link is followed.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { UnderstudyError } from '../errors/understudy-error.ts';

const namePattern = /^(\d{12})\.jsonl$/;

export function fileNameOf(firstSequence: number): string {
  return `${String(firstSequence).padStart(12, '0')}.jsonl`;
}

/** `null`: none of ours. */
export function firstSequenceOf(name: string): number | null {
  const digits = namePattern.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

export interface AuditFile {
  readonly file: string;
  readonly bytes: number;
}

/** Oldest first. Throws as `readdirSync` does. */
export function namesIn(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => namePattern.test(name))
    .sort();
}

export interface FileEnd {
  /** Up to the end of the last whole line. */
  readonly bytes: number;
  /** Its last lines, without what follows the last line's end. */
  readonly lines: readonly string[];
  /** A line that has no end: a crash cut it short. */
  readonly torn: { readonly bytes: number; readonly digest: string } | null;
}

/** More than a few of the longest lines. */
const endBytes = 256 * 1024;

/** Throws as `openSync` does. */
export function endOf(path: string): FileEnd {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const size = fstatSync(fd).size;
    const from = Math.max(0, size - endBytes);
    const buffer = Buffer.alloc(size - from);
    const read = readSync(fd, buffer, 0, buffer.length, from);
    const text = buffer.subarray(0, read);
    const cut = text.lastIndexOf(0x0a) + 1;
    const rest = text.subarray(cut);
    const whole = text.subarray(0, cut).toString('utf8').split('\n').slice(0, -1);
    return {
      bytes: from + cut,
      // The first may have lost its beginning.
      lines: from === 0 ? whole : whole.slice(1),
      torn:
        rest.length === 0
          ? null
          : { bytes: rest.length, digest: createHash('sha256').update(rest).digest('hex').slice(0, 16) },
    };
  } finally {
    closeSync(fd);
  }
}

/** `null`: the file is empty. Throws as `openSync` does. */
export function firstLineOf(path: string): string | null {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.alloc(64 * 1024);
    const read = readSync(fd, buffer, 0, buffer.length, 0);
    const end = buffer.subarray(0, read).indexOf(0x0a);
    return end === -1 ? null : buffer.subarray(0, end).toString('utf8');
  } finally {
    closeSync(fd);
  }
}

export interface AuditPiece {
  readonly text: string;
  /** Where the next piece begins; `null`: this was the last. */
  readonly next: number | null;
}

const pieceBytes = 256 * 1024;

/** Whole lines where there are any, from `offset` and before `end`. Throws NOT_FOUND. */
export async function readPiece(path: string, offset: number, end: number): Promise<AuditPiece> {
  const length = Math.min(pieceBytes, end - offset);
  if (length <= 0) return { text: '', next: null };
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw new UnderstudyError('NOT_FOUND', 'there is no such file of the audit log', { cause });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
    const piece = buffer.subarray(0, bytesRead);
    const cut = piece.lastIndexOf(0x0a) + 1;
    const taken = cut === 0 ? bytesRead : cut;
    const next = offset + taken;
    return { text: piece.subarray(0, taken).toString('utf8'), next: taken === 0 || next >= end ? null : next };
  } finally {
    await handle.close();
  }
}
