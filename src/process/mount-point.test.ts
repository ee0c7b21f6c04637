import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isMountPoint, parseMountPoints } from './mount-point.ts';

it('reads where file systems are mounted', () => {
  const text = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '23 22 0:5 / /mnt/two\\040words rw - tmpfs tmpfs rw',
    '',
  ];
  expect(parseMountPoints(text.join('\n'))).toEqual(['/', '/mnt/two words']);
});

it('tells a mount point from a directory, and from a link to one', () => {
  const directory = mkdtempSync(join(tmpdir(), 'us-mount-'));
  try {
    symlinkSync('/proc', join(directory, 'link'));
    expect(isMountPoint('/proc')).toBe(true);
    expect(isMountPoint(directory)).toBe(false);
    expect(isMountPoint(join(directory, 'link'))).toBe(false);
    expect(isMountPoint(join(directory, 'none', 'none'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
