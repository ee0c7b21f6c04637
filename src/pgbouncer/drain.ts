/**
 * Pauses aliases and waits for their server connections to become free.
 *
 * Invariant: it returns only when pgbouncer itself has said so for every alias. `PAUSE alias` is answered at once when
 * the alias has no server connection, and otherwise when none of any paused alias is busy, also if it was paused
 * before (admin_cmd_pause, admin_pause_done in its source, 1.18 to 1.24): a success means drained, and an error such as
 * "already suspended/paused" fails the pause. It resumes nothing; the caller does, when this fails.
 *
 * A login that PAUSE cuts short marks the pool as failing, and until the next successful login pgbouncer refuses new
 * queries of that pool at once (check_fast_fail in its source, 1.18 to 1.24; tried on 1.18). So logins under way are let
 * finish first. One that begins between that look and the PAUSE (a fraction of a ms) is not kept from it: then clients
 * that send their first query between RESUME and the first login get an error, which never reached a server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PoolerBlocker } from '../core/pooler-report.ts';
import type { PoolerAlias } from '../ports/pooler.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { type Console, quoteName } from './console.ts';
import type { Consoles } from './consoles.ts';
import { type PoolState, showBlockers, showPools } from './views.ts';

/** A TLS login takes 5 to 20 ms. Clients are served meanwhile, so that patience costs them nothing. */
const loginPatienceMs = 500;
/** A drain by ordinary traffic is over by then; blockers are asked for afterwards only. */
const firstLookMs = 100;
const lookEveryMs = 250;

/**
 * Waits until no login is under way at these aliases and none is about to begin, for `loginPatienceMs` at most. A pool
 * that grows opens one connection after another: it is done when nobody waits, or when it is full.
 */
export async function letLoginsFinish(
  console: Console,
  aliases: readonly PoolerAlias[],
  options: ActOptions,
): Promise<void> {
  const sizes = new Map(aliases.map((alias) => [alias.name, alias.poolSize]));
  const grows = (pool: PoolState): boolean => {
    const size = sizes.get(pool.alias);
    return size !== undefined && (pool.loggingIn > 0 || (pool.waiting > 0 && pool.servers < size));
  };
  const deadline = performance.now() + loginPatienceMs;
  while (performance.now() < deadline) {
    if (!(await showPools(console, options)).some(grows)) return;
    await delay(1, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** Tells of blockers until it is stopped; what it can't read it leaves for the next look. */
function watchBlockers(
  console: Console,
  aliases: readonly string[],
  onBlockers: (blockers: readonly PoolerBlocker[]) => void,
): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const again = (): void => {
    if (!stopped) timer = setTimeout(look, lookEveryMs);
  };
  const look = (): void => {
    showBlockers(console, aliases, Date.now(), { withinMs: 1_000 }).then((blockers) => {
      if (!stopped) onBlockers(blockers);
      again();
    }, again);
  };
  timer = setTimeout(look, firstLookMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Throws POOLER_TIMEOUT (also when cancelled), POOLER_FAILED. */
export async function drain(
  consoles: Consoles,
  aliases: readonly PoolerAlias[],
  onBlockers: (blockers: readonly PoolerBlocker[]) => void,
  options: ActOptions,
): Promise<void> {
  const names = aliases.map((alias) => alias.name);
  const deadline = performance.now() + options.withinMs;
  const left = (): ActOptions => ({ ...options, withinMs: Math.max(1, deadline - performance.now()) });
  const main = await consoles.main(left());
  await letLoginsFinish(main, aliases, left());
  const stopWatching = watchBlockers(main, names, onBlockers);
  try {
    await Promise.all(
      names.map(async (alias) => {
        const console = await consoles.forPausing(alias, left());
        await console.query(`PAUSE ${quoteName(alias)}`, left());
      }),
    );
  } finally {
    stopWatching();
  }
}
