/**
 * What a pause cost the applications, as far as pgbouncer's figures tell.
 *
 * - `delayed`: clients in the queue when the pause ended. One that came and gave up in between is not seen.
 * - `worstMs`: the longest wait in that queue, until the pause ended; the time to the first answer comes on top.
 * - `failed`: clients that waited when the drain was over and whose connection is gone after the pause: timed out by
 *   `query_wait_timeout`, or gone by themselves; the two can't be told apart. pgbouncer counts no errors, so a client
 *   that got one and stayed connected is not seen.
 */
import type { PauseFigures } from '../core/pooler-report.ts';
import type { PoolerConfiguration } from '../ports/pooler.ts';
import type { ClientSample, PoolState } from './views.ts';

export function applicationFigures(
  configuration: PoolerConfiguration,
  pools: readonly PoolState[],
  atDrain: ClientSample | null,
  afterwards: ClientSample | null,
): PauseFigures['applications'] {
  const byAlias = new Map(pools.map((pool) => [pool.alias, pool]));
  const figures = new Map<string, { name: string; delayed: number; worstMs: number; failed: number }>();
  for (const alias of configuration.aliases) {
    if (!alias.writes) continue;
    const pool = byAlias.get(alias.name);
    const waited = atDrain?.waiting.get(alias.name) ?? [];
    const gone = afterwards === null ? [] : waited.filter((client) => !afterwards.all.has(client));
    const sum = figures.get(alias.application) ?? { name: alias.application, delayed: 0, worstMs: 0, failed: 0 };
    sum.delayed += pool?.waiting ?? 0;
    sum.worstMs = Math.max(sum.worstMs, Math.round(pool?.longestWaitMs ?? 0));
    sum.failed += gone.length;
    figures.set(alias.application, sum);
  }
  return [...figures.values()];
}
