/**
 * Whether a disk has room for a restored database. Pure.
 *
 * Invariant: what is restored leaves free what a server that shares the file system needs for its WAL; what lies there already and is
 * written over is not counted twice.
 */

/** WAL that is replayed is recycled: so much of it lies there at once. */
const mostWalBytes = 2 * 1024 ** 3;

/** What a data directory has beside the files of a backup: they are counted, and not the blocks that they end in. */
const ofDirectory = 1.02;

export interface Disk {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What it takes once it is there. `databaseBytes`: 0 where its blocks are shared. `walBytes`: from the backup on; `null`: not known. */
export function restoredBytes(databaseBytes: number, walBytes: number | null): number {
  return Math.round(databaseBytes * ofDirectory) + Math.min(walBytes ?? mostWalBytes, mostWalBytes);
}

/** A twentieth, at most 10 GiB. */
export function keptFreeBytes({ totalBytes }: Pick<Disk, 'totalBytes'>): number {
  return Math.min(10 * 1024 ** 3, Math.floor(totalBytes / 20));
}

/** `presentBytes`: of what is written over. `null`: there is room. */
export function whyNoRoom(disk: Disk, neededBytes: number, presentBytes = 0): string | null {
  const [more, kept] = [Math.max(0, neededBytes - presentBytes), keptFreeBytes(disk)];
  if (disk.freeBytes - more >= kept) return null;
  return `${megabytes(more)} are needed, and of ${megabytes(disk.freeBytes)} that are free ${megabytes(kept)} are kept so`;
}

/** Rounded up, as room that is needed. */
export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MB`;
}
