import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { timerClock } from '../../test/fixtures/timer-clock.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { lookBriefly } from './brief-look.ts';

const empty: RepositoryContents = { state: 'empty', trouble: null, backups: [], archived: null };
const asked = { signal: new AbortController().signal, withinMs: 4_000 };

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('says what is there, and what keeps it from looking', async () => {
  expect(await lookBriefly(stubRepository({ contents: async () => empty }), timerClock, asked)).toEqual(empty);
  const contents = () => Promise.reject(new UnderstudyError('BACKUP_FAILED', 'unknown words'));
  await expect(lookBriefly(stubRepository({ contents }), timerClock, asked)).rejects.toThrow('unknown words');
  expect(vi.getTimerCount()).toBe(0);
});

it('does not take long for unreachable, and ends what it began', async () => {
  let ended = false;
  const repository = stubRepository({
    contents: ({ signal, withinMs }) =>
      new Promise((resolve, reject) => {
        setTimeout(() => resolve({ ...empty, state: 'unreachable', trouble: 'not in time' }), withinMs);
        signal?.addEventListener('abort', () => {
          ended = true;
          reject(new UnderstudyError('PROCESS_FAILED', 'it was cancelled'));
        });
      }),
  });
  const looking = lookBriefly(repository, timerClock, asked);
  await vi.advanceTimersByTimeAsync(4_500);
  expect([await looking, ended]).toEqual(['not-in-time', true]);
});
