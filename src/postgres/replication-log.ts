/**
 * Reads our own server's log for why a standby can't stream; PostgreSQL tells it nowhere else.
 *
 * Matches the texts of versions 13 to 18 in the C locale, which our settings force. Only lines since the last start
 * or change of upstream, and since this agent started, count: the receiver tries again and again, and says it each
 * time. A stream that lasts wipes the slate. Reads at most 64 KiB at a time.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { openQuietly } from '../process/quiet-file.ts';

export type StreamingObstacle = 'wal-removed' | 'diverged';

const windowBytes = 64 * 1024;

const walRemoved = [
  /requested WAL segment \S+ has already been removed/,
  // the slot itself is lost; 13 to 17, then 18
  /cannot read from replication slot/,
  /can no longer access replication slot/,
  /replication slot .* has been invalidated/,
];
const diverged = [
  /new timeline \d+ forked off current database system timeline \d+ before current recovery point/,
  /requested starting point \S+ on timeline \d+ is not in this server's history/,
  /requested timeline \d+ is not a child of this server's history/,
  /requested timeline \d+ is not in this server's history/,
  /highest timeline \d+ of the primary is behind recovery timeline \d+/,
];
/** Might be said for an instant by an upstream that has just been restarted: it must be said twice. */
const ahead = /requested starting point \S+ is ahead of the WAL flush position of this server/;

export interface ObstacleReading {
  readonly obstacle: StreamingObstacle | null;
  readonly aheadSeen: number;
}

/** Draws the conclusion from further lines of the log. */
export function readObstacle(text: string, before: ObstacleReading): ObstacleReading {
  let { obstacle, aheadSeen } = before;
  for (const line of text.split('\n')) {
    if (walRemoved.some((pattern) => pattern.test(line))) obstacle = 'wal-removed';
    else if (diverged.some((pattern) => pattern.test(line))) obstacle = 'diverged';
    else if (ahead.test(line)) {
      aheadSeen += 1;
      if (aheadSeen >= 2) obstacle = 'diverged';
    }
  }
  return { obstacle, aheadSeen };
}

export interface LogTail {
  /** The file's length now; 0 when it is missing. */
  size(): number;
  /** From that offset on to the end, but no more than the last 64 KiB. */
  read(from: number): { readonly text: string; readonly end: number };
}

export function createLogTail(path: string): LogTail {
  const withFile = <T>(use: (file: number, size: number) => T, otherwise: T): T => {
    let file: number;
    try {
      file = openQuietly(path);
    } catch {
      return otherwise;
    }
    try {
      return use(file, fstatSync(file).size);
    } finally {
      closeSync(file);
    }
  };
  return {
    size: () => withFile((_, size) => size, 0),
    read: (from) =>
      withFile(
        (file, size) => {
          const asked = from > size ? 0 : from; // it was rotated
          const start = Math.max(asked, size - windowBytes);
          const buffer = Buffer.alloc(size - start);
          const count = readSync(file, buffer, 0, buffer.length, start);
          return { text: buffer.subarray(0, count).toString('utf8'), end: start + count };
        },
        { text: '', end: 0 },
      ),
  };
}

/** The last lines since an offset, for an error's text. */
export function lastLines(tail: LogTail, from: number, count: number): string {
  return tail.read(from).text.trim().split('\n').slice(-count).join('\n');
}

export interface StreamingDiagnosis {
  /** Forgets everything up to now: a new start, or another upstream. */
  reset(): void;
  /** Only asked while nothing is received; `streaming` wipes the slate. */
  look(streaming: boolean): StreamingObstacle | null;
}

export function createDiagnosis(tail: LogTail): StreamingDiagnosis {
  let offset = tail.size();
  let reading: ObstacleReading = { obstacle: null, aheadSeen: 0 };
  let streamingLooks = 0;
  const reset = (): void => {
    offset = tail.size();
    reading = { obstacle: null, aheadSeen: 0 };
  };
  return {
    reset,
    look(streaming) {
      streamingLooks = streaming ? streamingLooks + 1 : 0;
      // A stream seems to run for an instant before the upstream finds that it has not got the WAL.
      if (streamingLooks >= 2) reset();
      if (streaming) return null;
      const { text, end } = tail.read(offset);
      offset = end;
      reading = readObstacle(text, reading);
      return reading.obstacle;
    },
  };
}
