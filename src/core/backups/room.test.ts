import { describe, expect, it } from 'vitest';
import { keptFreeBytes, megabytes, restoredBytes, whyNoRoom } from './room.ts';

const [mib, gib] = [1024 ** 2, 1024 ** 3];

it.each([
  ['the files, and the WAL to the target', restoredBytes(1_000_000, 500), 1_020_500],
  ['no more WAL than lies there at once', restoredBytes(0, 9 * gib), 2 * gib],
  ['as much where nobody knows', restoredBytes(0, null), 2 * gib],
])('needs %s', (_, bytes, expected) => {
  expect(bytes).toBe(expected);
});

describe('room on a disk', () => {
  const disk = { freeBytes: 200 * mib, totalBytes: 1_000 * mib };

  it('is there up to what is kept free', () => {
    expect(whyNoRoom(disk, 150 * mib)).toBeNull();
    expect(whyNoRoom(disk, 150 * mib + 1)).toBe('151 MB are needed, and of 200 MB that are free 50 MB are kept so');
  });

  it('takes what is written over for room, and no more than that', () => {
    expect(whyNoRoom(disk, 350 * mib, 200 * mib)).toBeNull();
    expect(whyNoRoom(disk, 351 * mib, 200 * mib)).toContain('151 MB are needed');
    expect(whyNoRoom({ ...disk, freeBytes: 49 * mib }, 10 * mib, 500 * mib)).toContain('0 MB are needed');
  });

  it('is kept free within reason on a large one', () => {
    expect(keptFreeBytes({ totalBytes: 10_000 * gib })).toBe(10 * gib);
  });
});

it('is told rounded up', () => {
  expect([megabytes(0), megabytes(1), megabytes(2 * 1_048_576)]).toEqual(['0 MB', '1 MB', '2 MB']);
});
