/**
 * How large the segments of WAL are that a repository holds, where there is no control file that says it: only one size of those that
 * PostgreSQL allows (1 MiB to 1 GiB, powers of two) puts the beginning of each backup into the segment that is named with it.
 */
import { parseLsn } from '../lsn.ts';
import type { RepositoryBackup } from '../repository.ts';
import { parseSegment, segmentOf } from '../wal-segments.ts';

/** Where neither the backups nor a control file tell: as `initdb` of this project makes them (adr/0004). */
export const usualSegmentBytes = 4 * 1024 * 1024;

const sizes = Array.from({ length: 11 }, (_, index) => 2 ** (20 + index));

/** `null`: several would do, or none. */
export function segmentBytesOf(backups: readonly RepositoryBackup[]): number | null {
  const fitting = sizes.filter((size) =>
    backups.every(({ firstWal, startLsn }) => {
      const [lsn, segment] = [parseLsn(startLsn), parseSegment(firstWal, size)];
      return lsn !== undefined && segment !== undefined && segmentOf(lsn, size) === segment.number;
    }),
  );
  const [only] = fitting;
  return fitting.length === 1 && only !== undefined ? only : null;
}
