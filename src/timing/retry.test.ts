import { describe, expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { retry } from './retry.ts';

function virtualClock() {
  let now = 0;
  const slept: number[] = [];
  const clock: Clock = {
    boottimeMs: () => now,
    wallClock: () => new Date(0),
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
    },
  };
  return { clock, slept };
}

const later = new UnderstudyError('STORE_UNREACHABLE', 'no answer');
const policy = { firstPauseMs: 100, longestPauseMs: 400, giveUpAfterMs: 1_000 };

describe('retry', () => {
  it('tries again with growing pauses until it works', async () => {
    const { clock, slept } = virtualClock();
    const work = async (attempt: number): Promise<number> => {
      if (attempt < 5) throw later;
      return attempt;
    };
    const patient = { ...policy, giveUpAfterMs: null };
    await expect(retry(patient, work, { clock, draw: () => 0 })).resolves.toBe(5);
    expect(slept).toEqual([50, 100, 200, 200]);
  });

  it('gives up in time with the last error', async () => {
    const { clock, slept } = virtualClock();
    await expect(retry(policy, () => Promise.reject(later), { clock, draw: () => 0.999 })).rejects.toBe(later);
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(1_000);
    expect(slept.length).toBeGreaterThan(2);
  });

  it.each([
    ['a refusal', new UnderstudyError('STORE_DENIED', 'no')],
    ['a defect', new TypeError('undefined is not a function')],
  ])('does not repeat %s', async (_, error) => {
    const { clock, slept } = virtualClock();
    await expect(retry(policy, () => Promise.reject(error), { clock, draw: () => 0 })).rejects.toBe(error);
    expect(slept).toEqual([]);
  });

  it('ends with the caller', async () => {
    const { clock } = virtualClock();
    const caller = new AbortController();
    let attempts = 0;
    const work = async (): Promise<never> => {
      attempts += 1;
      if (attempts === 3) caller.abort(new Error('gave up'));
      throw later;
    };
    await expect(retry(policy, work, { clock, draw: () => 0, signal: caller.signal })).rejects.toThrow('gave up');
    expect(attempts).toBe(3);
  });
});
