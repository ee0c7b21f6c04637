import { expect, it } from 'vitest';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { takeTurnsTelling } from './turns.ts';

it('tells an error when it is another one, and again when it was long ago', async () => {
  const ended = new AbortController();
  const told: string[] = [];
  const fail = (text: string) => () => Promise.reject(new UnderstudyError('STORE_UNREACHABLE', text));
  const quiet = () => Promise.resolve();
  const hour = Array.from({ length: 60 }, () => quiet);
  const turns = [fail('away'), quiet, fail('away'), fail('slow'), ...hour, fail('slow')];
  const parts = { clock: { sleep: () => Promise.resolve() }, signal: ended.signal };
  await takeTurnsTelling({ ...parts, warn: (text) => void told.push(text) }, 60_000, async () => {
    const turn = turns.shift();
    if (turn === undefined) return ended.abort();
    await turn();
  });
  expect(told).toEqual(['away', 'slow', 'slow']);
});

it('ends with what is no error of ours', async () => {
  const parts = {
    clock: { sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
    warn: () => undefined,
  };
  await expect(takeTurnsTelling(parts, 1_000, () => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug');
});
