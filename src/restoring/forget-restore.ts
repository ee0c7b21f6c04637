/** Takes what a restore wrote into a directory's own settings out of it again: nothing of it is to be in force later. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ofTheRestore = /^\s*(?:restore_command|archive_mode|recovery_target\w*)\s*=/;

/** No server runs in it. */
export function forgetRestore(data: string): void {
  const file = join(data, 'postgresql.auto.conf');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(`${file}.new`, lines.filter((line) => !ofTheRestore.test(line)).join('\n'), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
