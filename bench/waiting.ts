/** Waits for a condition, looking again every `everyMs`; throws when it does not come in time. */
import { setTimeout as delay } from 'node:timers/promises';

export async function until(
  what: string,
  withinMs: number,
  everyMs: number,
  probe: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await delay(everyMs);
  }
}
