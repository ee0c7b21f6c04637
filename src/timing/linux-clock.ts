/**
 * Boottime on Linux: counts on while the host is suspended, and never steps with the wall clock.
 *
 * Node has no call for CLOCK_BOOTTIME. Its monotonic clock is fine but stands still in suspend (clock_gettime(2),
 * CLOCK_MONOTONIC); /proc/uptime counts on (proc(5)) but in steps of 10 ms. So the monotonic clock is used with an
 * offset, which is measured anew against /proc/uptime when a reading finds it older than `remeasureAfterMs`.
 *
 * Invariants: never runs backwards, and never ahead of boottime: /proc/uptime is cut off, not rounded, and the
 * monotonic clock is read after it, so that a stall between the two makes the offset too small and never too large.
 * It lags by at most `stepMs`, and after a suspend for at most `remeasureAfterMs` of waking time besides.
 * Two processes on one host agree within that. Refuses to say anything about other hosts or other boots.
 *
 * /proc/uptime is opened once and read from its beginning each time (1 µs against 4 for opening it anew), so that
 * asking for the time works also where no further file can be opened.
 */
import { openSync, readSync } from 'node:fs';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from '../ports/clock.ts';

export interface TimeSources {
  monotonicMs(): number;
  uptimeMs(): number;
}

const remeasureAfterMs = 50;
/** A smaller difference is the cut of /proc/uptime, not a suspend; taking it up would only make durations uneven. */
const stepMs = 20;

const text = Buffer.alloc(64);
let uptimeFile: number | null = null;

/** Boottime in ms as the kernel says it now: cut to 10 ms, and right at once after a suspend (proc(5)). */
export function readUptimeMs(): number {
  uptimeFile ??= openSync('/proc/uptime', 'r');
  const length = readSync(uptimeFile, text, 0, text.length, 0);
  return Number.parseFloat(text.toString('latin1', 0, length)) * 1_000;
}

const linuxSources: TimeSources = { monotonicMs: () => performance.now(), uptimeMs: readUptimeMs };

export function createLinuxClock(sources: TimeSources = linuxSources): Clock {
  const measure = (): { offsetMs: number; atMs: number } => {
    const uptime = sources.uptimeMs();
    const atMs = sources.monotonicMs();
    return { offsetMs: uptime - atMs, atMs };
  };
  let { offsetMs, atMs: measuredAtMs } = measure();
  return {
    boottimeMs() {
      const monotonic = sources.monotonicMs();
      if (monotonic - measuredAtMs <= remeasureAfterMs) return monotonic + offsetMs;
      const now = measure();
      measuredAtMs = now.atMs;
      // Only ever forward: this, and a monotonic clock beneath, is why it can't run backwards.
      if (now.offsetMs - offsetMs > stepMs) offsetMs = now.offsetMs;
      return now.atMs + offsetMs;
    },
    wallClock: () => new Date(),
    async sleep(ms, signal) {
      await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
    },
  };
}
