/** Was this module started as the program, rather than imported? */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function isMain(url: string): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(url);
}
