/**
 * A standby that has cut itself off takes in what a dead primary left on its disk: the files are laid beside the server,
 * and `restore_command` lets it fetch them (documentation 27.2.2, 20.5.4; reloadable from version 14 on).
 *
 * Invariants: only WAL that begins with exactly what this standby has itself is taken, so another history can't slip in;
 * PostgreSQL checks every record. Bounded in time and bytes: what came until then counts, since WAL is good up to any
 * point. Before it returns the server has no `restore_command` any more, or the deadline has passed and its next start has
 * none. A stream would serve as well but acknowledges; a cut forbids that, and reading files acknowledges nothing.
 */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type WalPiece, type WalRequest, walFileName } from '../core/last-words.ts';
import type { Lsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { settingLine } from './conninfo.ts';
import { keepFile } from './durable-files.ts';
import { type Layout, upstreamFile } from './layout.ts';
import { type Deadline, waitFor } from './waiting.ts';

/** More than this would take longer than most crash recoveries. */
const mostBytes = 256 * 1024 * 1024;
/** The server looks for the next file every 200 ms (`wal_retrieve_retry_interval`), and each look starts a program. */
const quietMs = 2_000;
const lookEveryMs = 20;

export interface Hearing {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly timeline: number;
  /** The end of this standby's own WAL. */
  readonly end: Lsn;
  readonly segmentBytes: number;
  ask(request: WalRequest): Promise<WalPiece | null>;
  /** Makes the server read its files. */
  reload(): void;
  /** How far the server has replayed, and whether it has found nothing more; `null`: it does not say. */
  replay(): Promise<{ readonly at: Lsn | null; readonly isExhausted: boolean }>;
}

/** Answers how many bytes it went on by. Throws when the other's WAL is not a continuation of its own. */
export async function hearWal(hearing: Hearing, deadline: Deadline): Promise<number> {
  const { layout, end } = hearing;
  const directory = join(layout.state, 'last-words');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  const files = join(layout.data, upstreamFile);
  const cut = await readFile(files, 'utf8');
  try {
    const heard = await fetchFiles(hearing, directory, deadline);
    if (heard <= end) return 0;
    const command = `cp '${directory.replaceAll('%', '%%')}/%f' '%p'`;
    await keepFile(files, `${cut}${settingLine('restore_command', command)}\n`);
    hearing.reload();
    return Number((await awaitReplay(hearing, heard, deadline)) - end);
  } finally {
    if (await keepFile(files, cut)) hearing.reload();
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Lays down whole segments, the one of the own end first; answers where the last of it is that is not zero: pages are
 * filled with zeros before they are written to.
 */
async function fetchFiles(hearing: Hearing, directory: string, deadline: Deadline): Promise<bigint> {
  const { timeline, end, segmentBytes, layout } = hearing;
  if (directory.includes("'"))
    throw new UnderstudyError('POSTGRES_FAILED', `can't be named in a command: ${directory}`);
  const size = BigInt(segmentBytes);
  const first = end - (end % size);
  let at = first;
  let heard: bigint = end;
  for (let isEnd = false; !isEnd && at - first < BigInt(mostBytes) && deadline.leftMs() > 0; ) {
    const name = walFileName(timeline, at, segmentBytes);
    const fetched = await fetchSegment(hearing, name, deadline);
    if (fetched.bytes.length === 0) break;
    if (at === first) await refuseOtherHistory(join(layout.data, 'pg_wal', name), fetched.bytes, Number(end - first));
    await layDown(join(directory, name), fetched.bytes, segmentBytes);
    const length = lengthWithoutZeros(fetched.bytes);
    if (length > 0 && at + BigInt(length) > heard) heard = at + BigInt(length);
    at += BigInt(fetched.bytes.length);
    isEnd = fetched.isEnd;
  }
  return heard;
}

function lengthWithoutZeros(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

async function fetchSegment(
  { ask, segmentBytes }: Hearing,
  file: string,
  deadline: Deadline,
): Promise<{ readonly bytes: Buffer; readonly isEnd: boolean }> {
  const pieces: Buffer[] = [];
  let offset = 0;
  while (offset < segmentBytes) {
    deadline.check('hearing the last words');
    const piece = await ask({ file, offset });
    if (piece === null) throw new UnderstudyError('POSTGRES_FAILED', 'the last primary has no more to say');
    const bytes = Buffer.from(piece.data, 'base64');
    pieces.push(bytes);
    offset += bytes.length;
    if (piece.isEnd || bytes.length === 0) return { bytes: Buffer.concat(pieces), isEnd: true };
  }
  return { bytes: Buffer.concat(pieces), isEnd: false };
}

/** Up to its own end both files must be the same. */
async function refuseOtherHistory(path: string, theirs: Buffer, length: number): Promise<void> {
  const own = await readFile(path).catch(() => Buffer.alloc(0));
  const common = Math.min(length, theirs.length);
  if (own.length >= common && own.subarray(0, common).equals(theirs.subarray(0, common))) return;
  throw new UnderstudyError('POSTGRES_FAILED', 'the WAL of the last primary is not a continuation of this one');
}

/** Archived files have their full length; what is missing is zeros, where replay ends. */
async function layDown(path: string, bytes: Buffer, segmentBytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.truncate(segmentBytes);
  } finally {
    await file.close();
  }
}

/**
 * The end of WAL, once replay has come to the last that was heard. A record that was only half written lies before it:
 * then replay stands still and looks for more.
 */
async function awaitReplay({ clock, end, replay }: Hearing, heard: bigint, deadline: Deadline): Promise<Lsn> {
  let last = { at: end, sinceMs: clock.boottimeMs() };
  return await waitFor(clock, deadline, 'replaying the last words', lookEveryMs, async () => {
    const { at, isExhausted } = await replay();
    const nowMs = clock.boottimeMs();
    if (at !== null && at !== last.at) last = { at, sinceMs: nowMs };
    return at !== null && isExhausted && (at >= heard || nowMs - last.sinceMs >= quietMs) ? at : undefined;
  });
}
