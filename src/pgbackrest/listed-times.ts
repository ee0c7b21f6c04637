/** Reads of what `pgbackrest repo-ls --output=json` says when files were written. */
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';

/** Times are in seconds since 1970. */
const listed = z.record(z.string(), z.object({ time: z.number().optional() }));

/** ISO 8601; `null`: no file, or none with a time. Throws BACKUP_FAILED when it is nothing that pgBackRest would say. */
export function newestTime(text: string): string | null {
  let files: z.infer<typeof listed>;
  try {
    files = listed.parse(JSON.parse(text));
  } catch (cause) {
    throw new UnderstudyError('BACKUP_FAILED', 'pgBackRest listed files in unknown words', { cause });
  }
  const times = Object.values(files).flatMap(({ time }) => time ?? []);
  return times.length === 0 ? null : new Date(Math.max(...times) * 1_000).toISOString();
}
