import { describe, expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { whileItReplays } from './stalled-replay.ts';

const stalledMs = 60_000;

/** Until it is cancelled. */
function untilAborted({ signal }: ActOptions): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('cancelled')), { once: true });
  });
}

describe('a recovery', () => {
  it('that goes no further is ended, and says so', async () => {
    const clock = new HandClock();
    const beganMs = clock.nowMs;
    const parts = { clock, stalledMs, standing: () => 'waiting for 000000010000000000000003' };
    await expect(whileItReplays(parts, { withinMs: 1 }, untilAborted)).rejects.toThrow('nothing was replayed for 60 s');
    expect(clock.nowMs - beganMs).toBe(stalledMs);
  });

  it('that moves is let go on, however long it takes', async () => {
    let segment = 0;
    let done: (value: string) => void = () => undefined;
    const clock = new HandClock(() => {
      segment = Math.floor(clock.nowMs / (stalledMs / 2));
      if (clock.nowMs > 100 * stalledMs) done('there');
    });
    const parts = { clock, stalledMs, standing: () => String(segment) };
    const act = () =>
      new Promise<string>((resolve) => {
        done = resolve;
      });
    expect(await whileItReplays(parts, { withinMs: 1 }, act)).toBe('there');
  });

  it('that fails by itself, or is cancelled, fails with its own words', async () => {
    const parts = { clock: new HandClock(), stalledMs, standing: () => String(parts.clock.nowMs) };
    await expect(whileItReplays(parts, { withinMs: 1 }, () => Promise.reject(new Error('its own')))).rejects.toThrow(
      'its own',
    );
    const cancel = new AbortController();
    const cancelled = whileItReplays(parts, { withinMs: 1, signal: cancel.signal }, untilAborted);
    cancel.abort();
    await expect(cancelled).rejects.toThrow('cancelled');
  });
});
