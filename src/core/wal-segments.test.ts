import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lsnFromOffset } from './lsn.ts';
import { parseSegment, segmentName, segmentOf } from './wal-segments.ts';

it.each([
  [1, 0x3000028n, 16, '000000010000000000000003'],
  [26, 0x1_0100_0000n, 16, '0000001A0000000100000001'],
  [2, 0xffff_ffffn, 4, '0000000200000000000003FF'],
])('timeline %d at %d is in %d MiB segments in %s', (timeline, position, mib, name) => {
  const bytes = mib * 1024 * 1024;
  expect(segmentName({ timeline, number: segmentOf(lsnFromOffset(position), bytes) }, bytes)).toBe(name);
});

it('a name reads back', () => {
  const bytes = fc.constantFrom(1, 4, 16, 64, 1024).map((mib) => mib * 1024 * 1024);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 0xffff }),
      fc.bigInt({ min: 0n, max: 2n ** 33n }),
      bytes,
      (timeline, number, size) => {
        const within = number % (2n ** 64n / BigInt(size));
        expect(parseSegment(segmentName({ timeline, number: within }, size), size)).toEqual({
          timeline,
          number: within,
        });
      },
    ),
  );
});

it.each([
  '',
  '00000002.history',
  '000000010000000000000003.partial',
  '000000010000000000000400',
  '00000001000000000000000g',
])('%j is none', (name) => {
  expect(parseSegment(name, 4 * 1024 * 1024)).toBeUndefined();
});
