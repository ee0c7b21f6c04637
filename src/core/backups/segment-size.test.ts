import { expect, it } from 'vitest';
import { backupOf, segmentBytes } from '../../../test/fixtures/backups.ts';
import { segmentBytesOf } from './segment-size.ts';

const small = { ...backupOf('a', 'full', 0), startLsn: '0/3000028', firstWal: '00000001000000000000000C' };

it('is the one by which the beginnings of backups lie in their segments', () => {
  expect(segmentBytesOf([backupOf('a', 'full', 0, { first: 3 })])).toBe(segmentBytes);
  expect(segmentBytesOf([small])).toBe(4 * 1024 * 1024);
});

it('is not known where several would do, or none', () => {
  expect(segmentBytesOf([])).toBeNull();
  expect(segmentBytesOf([{ ...small, startLsn: '1/28', firstWal: '000000010000000100000000' }])).toBeNull();
  expect(segmentBytesOf([small, backupOf('b', 'full', 0, { first: 3 })])).toBeNull();
});
