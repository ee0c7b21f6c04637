import { expect, it } from 'vitest';
import { HandClock } from '../../test/fixtures/hand-clock.ts';
import { stored } from '../../test/fixtures/view.ts';
import { keepMemberList } from './member-list-keeping.ts';

it('tries again what the disk refused, and does not end by it', async () => {
  const ended = new AbortController();
  const waited: number[] = [];
  const warned: unknown[] = [];
  const seen: (readonly string[])[] = [];
  let beforeMs = 1_000;
  const clock = new HandClock(() => {
    waited.push(clock.nowMs - beforeMs);
    beforeMs = clock.nowMs;
    if (waited.length === 3) ended.abort();
  });
  const record = { authority: 'B1', list: 'its list' };
  await keepMemberList({
    image: () => ({ revocationLists: new Map([['B1', stored(record)]]) }),
    onChange: () => () => undefined,
    renew: async (records) => {
      seen.push(records.map(({ list }) => list));
      if (seen.length < 3) throw Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' });
      return true;
    },
    ...{ clock, signal: ended.signal },
    log: { info: () => {}, warn: (_, text) => void warned.push(text), error: () => {} },
  });
  expect(seen).toEqual([['its list'], ['its list'], ['its list']]);
  expect(waited).toEqual([5_000, 5_000, 60_000]);
  expect(warned).toHaveLength(1);
});
