/** Takes what a restore wrote into a directory's own settings out of it again: nothing of it is to be in force later. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../process/whole-file.ts';

const ofTheRestore = /^\s*(?:restore_command|archive_mode|recovery_target\w*)\s*=/;

/** No server runs in it. */
export function forgetRestore(data: string): void {
  const file = join(data, 'postgresql.auto.conf');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeWhole(file, lines.filter((line) => !ofTheRestore.test(line)).join('\n'));
}
