/** How much disk a restored database takes, in bytes. Pure. */

/** WAL that is replayed is recycled: so much of it lies there at once. */
const mostWalBytes = 2 * 1024 ** 3;

/** What a data directory has beside the files of a backup: they are counted, and not the blocks that they end in. */
const ofDirectory = 1.02;

/** `databaseBytes`: 0 where its blocks are shared, or there already. `walBytes`: from the backup on; `null`: not known. */
export function restoredBytes(databaseBytes: number, walBytes: number | null): number {
  return Math.round(databaseBytes * ofDirectory) + Math.min(walBytes ?? mostWalBytes, mostWalBytes);
}

/** Rounded up, as room that is needed. */
export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MB`;
}
