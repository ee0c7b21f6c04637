import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withDeadline } from './deadline.ts';

const untilCancelled = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

describe('a deadline', () => {
  it('answers with the result, and leaves no listener', async () => {
    const caller = new AbortController();
    await expect(withDeadline(60_000, caller.signal, async () => 'done')).resolves.toBe('done');
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
  });

  it('passes on what the work threw', async () => {
    const broken = new Error('broken');
    await expect(withDeadline(60_000, undefined, () => Promise.reject(broken))).rejects.toBe(broken);
  });

  it('ends the work at the deadline', async () => {
    let reason: unknown = null;
    const work = withDeadline(5, undefined, (signal) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return untilCancelled(signal);
    });
    await expect(work).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(reason).toMatchObject({ code: 'TIMEOUT' });
  });

  it('does not wait for work that ignores its signal', async () => {
    await expect(withDeadline(5, undefined, () => new Promise(() => undefined))).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
  });

  it('ends the work when the caller gives up, and leaves no listener', async () => {
    const caller = new AbortController();
    const gaveUp = new Error('gave up');
    const work = withDeadline(60_000, caller.signal, untilCancelled);
    caller.abort(gaveUp);
    await expect(work).rejects.toBe(gaveUp);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
  });

  it('does not begin for a caller that has given up already', async () => {
    let begun = false;
    const work = withDeadline(60_000, AbortSignal.abort(), async () => {
      begun = true;
    });
    await expect(work).rejects.toThrow();
    expect(begun).toBe(false);
  });
});
