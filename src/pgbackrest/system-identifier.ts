/** Of the cluster that a data directory holds: the first eight bytes of its control file, in all versions. */
import { closeSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';

/** `null`: there is none there yet. */
export function systemIdentifierOf(dataDirectory: string): string | null {
  let file: number;
  try {
    file = openSync(join(dataDirectory, 'global', 'pg_control'), 'r');
  } catch {
    return null;
  }
  try {
    const bytes = Buffer.alloc(8);
    if (readSync(file, bytes, 0, 8, 0) !== 8) return null;
    return String(endianness() === 'LE' ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
  } finally {
    closeSync(file);
  }
}
