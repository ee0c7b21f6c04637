import { expect, it } from 'vitest';
import { watchArchive } from './still-archiving.ts';

const segment = (number: number): string => `0000000100000000000000${number.toString(16).padStart(2, '0')}`;
const nowMs = Date.parse('2026-11-22T12:00:00Z');

/** Of the newest segment's age, and when the next one comes. */
async function watched(ageMs: number, nextAfterMs: number, waits = true) {
  let waitedMs = 0;
  let announcedMs = 0;
  const repository = {
    archivedRanges: async () => [{ first: segment(1), last: segment(waitedMs >= nextAfterMs ? 10 : 9) }],
    archivedAt: async () => new Date(nowMs - ageMs).toISOString(),
  };
  const watching = {
    ...{ segmentBytes: 16 * 1024 * 1024, waits, nowMs: () => nowMs },
    sleep: async (ms: number) => {
      waitedMs += ms;
    },
    onWait: (_: unknown, ms: number) => {
      announcedMs = ms;
    },
  };
  const { found } = await watchArchive(repository, watching, { withinMs: 1_000 });
  return { found, waitedMs, announcedMs };
}

it('waits for longer than a living cluster would be silent, and less where it was silent already', async () => {
  expect(await watched(5_000, Number.POSITIVE_INFINITY)).toEqual({
    ...{ found: 'rests', waitedMs: 75_000, announcedMs: 75_000 },
  });
  expect(await watched(150_000, Number.POSITIVE_INFINITY)).toMatchObject({ found: 'rests', waitedMs: 30_000 });
  expect(await watched(180_000, 0)).toMatchObject({ found: 'rests', waitedMs: 0 });
  // The repository's clock is ahead.
  expect(await watched(-60_000, Number.POSITIVE_INFINITY)).toMatchObject({ found: 'rests', waitedMs: 75_000 });
});

it('finds that somebody archives as soon as it is seen', async () => {
  expect(await watched(5_000, 60_000)).toMatchObject({ found: 'moves', waitedMs: 60_000 });
  expect(await watched(5_000, 75_000)).toMatchObject({ found: 'moves' });
});

it('says that it may live where it is not waited for', async () => {
  expect(await watched(5_000, 60_000, false)).toMatchObject({ found: 'young', waitedMs: 0 });
});
