import { expect, it } from 'vitest';
import { megabytes, restoredBytes } from './room.ts';

const gib = 1024 ** 3;

it.each([
  ['the files, and the WAL to the target', restoredBytes(1_000_000, 500), 1_020_500],
  ['no more WAL than lies there at once', restoredBytes(0, 9 * gib), 2 * gib],
  ['as much where nobody knows', restoredBytes(0, null), 2 * gib],
])('needs %s', (_, bytes, expected) => {
  expect(bytes).toBe(expected);
});

it('is told rounded up', () => {
  expect([megabytes(0), megabytes(1), megabytes(2 * 1_048_576)]).toEqual(['0 MB', '1 MB', '2 MB']);
});
