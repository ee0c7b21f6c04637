import { describe, expect, it } from 'vitest';
import { Deadline } from './deadline.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('a deadline', () => {
  it('ends what waits by the clock, with a reason', async () => {
    const time = new Deadline(1);
    await expect(time.before(never())).rejects.toThrow('not done within 1 ms');
    expect(time.isOver).toBe(true);
    expect(() => time.throwWhenOver()).toThrow('not done within 1 ms');
  });

  it("ends by its caller, with the caller's reason, and only once", async () => {
    const caller = new AbortController();
    const time = new Deadline(60_000, caller.signal);
    const waiting = time.before(never());
    const told: string[] = [];
    time.onOver(() => told.push('over'));
    caller.abort('enough');
    caller.abort('again');
    await expect(waiting).rejects.toBe('enough');
    expect([told, time.reason]).toEqual([['over'], 'enough']);
    time.clear();
  });

  it('is over at once for a caller who has given up', () => {
    const time = new Deadline(60_000, AbortSignal.abort('before'));
    expect(() => time.throwWhenOver()).toThrow('before');
    const told: string[] = [];
    time.onOver(() => told.push('over'));
    expect(told).toEqual(['over']);
    time.clear();
  });

  it('leaves what came in time as it is, and tells nobody who has asked to be forgotten', async () => {
    const caller = new AbortController();
    const time = new Deadline(60_000, caller.signal);
    expect(await time.before(Promise.resolve(1))).toBe(1);
    await expect(time.before(Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    const told: string[] = [];
    time.onOver(() => told.push('over'))();
    caller.abort();
    expect(told).toEqual([]);
    time.clear();
  });

  it('waits for whatever can be waited for', async () => {
    const time = new Deadline(60_000);
    // biome-ignore lint/suspicious/noThenProperty: such as query builders are
    const builder: PromiseLike<number> = { then: (resolve, reject) => Promise.resolve(3).then(resolve, reject) };
    expect(await time.before(builder)).toBe(3);
    time.clear();
  });

  it('lets what had arrived be read, by a process that was too busy to look', async () => {
    const time = new Deadline(5);
    const arrived = new Promise<string>((resolve) => setTimeout(() => setImmediate(resolve, 'here'), 1));
    const waiting = time.before(arrived);
    const until = performance.now() + 20;
    while (performance.now() < until) {
      // busy
    }
    expect(await waiting).toBe('here');
    time.clear();
  });
});
