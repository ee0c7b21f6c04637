import { describe, expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { IssuingTurns } from './issuing-turns.ts';

let nowMs = 0;
const clock = { boottimeMs: () => nowMs };

/** Work that ends when it is told to. */
function held() {
  const ends: (() => void)[] = [];
  const begun: number[] = [];
  const work = (number: number) => () =>
    new Promise<number>((resolve) => {
      begun.push(number);
      ends.push(() => resolve(number));
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { begun, work, settle, end: (index: number) => ends[index]?.() };
}

describe('turns of issuing', () => {
  it('are taken one after the other, also after one that failed', async () => {
    const turns = new IssuingTurns(clock);
    const { begun, work, settle, end } = held();
    const failed = turns.take('web1', false, () => Promise.reject(new UnderstudyError('TIMEOUT', 'no')));
    const first = turns.take('web1', false, work(1));
    const second = turns.take('web2', false, work(2));
    await expect(failed).rejects.toMatchObject({ code: 'TIMEOUT' });
    await settle();
    expect(begun).toEqual([1]);
    end(0);
    expect(await first).toBe(1);
    await settle();
    expect(begun).toEqual([1, 2]);
    end(1);
    expect(await second).toBe(2);
  });

  it('are refused to a node that asks without end, to nobody else, and not for ever', async () => {
    const turns = new IssuingTurns(clock);
    const ask = (node: string, isOwn = false) => turns.take(node, isOwn, () => Promise.resolve('signed'));
    const answers = await Promise.allSettled(Array.from({ length: 200 }, () => ask('web1')));
    expect(answers.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(20);
    for (let time = 0; time < 30; time += 1) await ask('web1').catch(() => undefined);
    await expect(ask('web1')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await ask('web2')).toBe('signed');
    for (let time = 0; time < 100; time += 1) expect(await ask('db1', true)).toBe('signed');
    nowMs += 30_000;
    expect(await ask('web1')).toBe('signed');
    await expect(ask('web1')).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('are refused while too many wait', async () => {
    const turns = new IssuingTurns(clock);
    const { work } = held();
    const all = Array.from({ length: 40 }, (_, index) => turns.take(`web${index}`, false, work(index)));
    const refused = Promise.allSettled(all.slice(16));
    expect((await refused).every(({ status }) => status === 'rejected')).toBe(true);
  });
});
