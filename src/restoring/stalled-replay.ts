/**
 * Ends a recovery that goes no further: one that waits for WAL which nobody has would wait for ever.
 *
 * What it looks at is changed by every segment that is replayed, also before the server lets anybody in: the title of the process that
 * replays, and where it is.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { processesIn, readCommandLine } from '../process/identity.ts';

const lookEveryMs = 1_000;

/** "postgres: startup recovering 000000010000000000000003" */
export function replayTitle(data: string): string {
  const titles = processesIn(data).map(({ pid }) => readCommandLine(pid).join(' '));
  return titles.find((title) => /\bstartup\b/.test(title)) ?? '';
}

/** Throws RESTORE_FAILED when nothing changed for so long, and what `act` throws. */
export async function whileItReplays<T>(
  {
    clock,
    stalledMs,
    standing,
  }: { readonly clock: Clock; readonly stalledMs: number; readonly standing: () => string },
  options: ActOptions,
  act: (bounded: ActOptions) => Promise<T>,
): Promise<T> {
  const [over, stalled] = [new AbortController(), new AbortController()];
  const watching = watch();
  async function watch(): Promise<void> {
    let [last, sinceMs] = [standing(), clock.boottimeMs()];
    while (!over.signal.aborted) {
      await clock.sleep(lookEveryMs, over.signal).catch(() => undefined);
      const seen = standing();
      const nowMs = clock.boottimeMs();
      if (seen !== last) [last, sinceMs] = [seen, nowMs];
      else if (nowMs - sinceMs >= stalledMs) return stalled.abort();
    }
  }
  try {
    const signals = [stalled.signal, ...(options.signal === undefined ? [] : [options.signal])];
    return await act({ ...options, signal: AbortSignal.any(signals) });
  } catch (error) {
    if (!stalled.signal.aborted) throw error;
    const message = `nothing was replayed for ${Math.round(stalledMs / 1_000)} s`;
    throw new UnderstudyError('RESTORE_FAILED', message, { cause: error });
  } finally {
    over.abort();
    await watching;
  }
}
