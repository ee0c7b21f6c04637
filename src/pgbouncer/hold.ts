/**
 * Shuts aliases without waiting for their drain: what a connection to a lost server still carries may never end.
 *
 * `PAUSE alias` takes effect when it is read, and is answered when the alias has drained (admin_cmd_pause in pgbouncer's
 * source, 1.18 to 1.24). So each is sent on its alias's own connection and left to wait there; whoever resumes closes those
 * connections first, since a waiting PAUSE is never answered once its alias is resumed. Idle server connections are closed
 * by the pause, so that none to a lost server is handed out afterwards.
 *
 * Invariant: returns only when pgbouncer shows every alias as paused. Resumes nothing when it fails; the caller does.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { HoldOptions } from '../ports/pooler.ts';
import { quoteName } from './console.ts';
import type { Consoles } from './consoles.ts';
import { showDatabases } from './views.ts';

const lookEveryMs = 1;
/** The command may wait for as long as the hold, and a little longer: the rules end it. */
const graceMs = 5_000;

/** Throws POOLER_FAILED, POOLER_TIMEOUT. */
export async function holdAliases(consoles: Consoles, aliases: readonly string[], options: HoldOptions): Promise<void> {
  if (aliases.length === 0) return;
  const main = await consoles.main(options);
  const isPaused = async (alias: string): Promise<boolean> =>
    (await showDatabases(main, options)).some(({ name, paused }) => name === alias && paused);
  await Promise.all(
    aliases.map(async (alias) => {
      if (await isPaused(alias)) return;
      const console = await consoles.forPausing(alias, options);
      console.query(`PAUSE ${quoteName(alias)}`, { withinMs: options.limitMs + graceMs }).catch(() => {
        // Seen below: paused or not is what pgbouncer shows.
      });
    }),
  );
  const deadline = performance.now() + options.withinMs;
  while (true) {
    const shown = await showDatabases(main, options);
    const paused = new Set(shown.filter((database) => database.paused).map(({ name }) => name));
    if (aliases.every((alias) => paused.has(alias))) return;
    if (performance.now() >= deadline) throw new UnderstudyError('POOLER_TIMEOUT', 'pgbouncer does not pause');
    await delay(lookEveryMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}
