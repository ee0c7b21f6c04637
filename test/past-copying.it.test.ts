/** Copies that share blocks, tried on real file systems, as the user whose PostgreSQL is: nothing of it needs root. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyTree, findCopying, makeBaseDirectory, removeTree } from '../src/past/copying.ts';
import { type LoopDisk, mountLoopDisk } from './fixtures/postgres-loop-disk.ts';
import { leaveRoot } from './fixtures/postgres-user.ts';

const kinds = { ext4: null, xfs: 'reflink', btrfs: 'btrfs-snapshot' } as const;
const names = ['ext4', 'xfs', 'btrfs'] as const;
const fileMb = 32;

describe('copies of a tree', () => {
  const disks = new Map<string, LoopDisk | null>();
  beforeAll(async () => {
    // XFS is not made smaller than 300 MB.
    for (const kind of names) disks.set(kind, await mountLoopDisk(kind === 'ext4' ? 64 : 320, kind));
    leaveRoot();
  });
  afterAll(async () => {
    for (const disk of disks.values()) await disk?.unmount();
  });

  it.for(names)('are what %s can do, and take no room where it shares blocks', async (kind, { skip }) => {
    const disk = disks.get(kind);
    if (disk == null) return skip(`${kind} can't be made and mounted here`);
    const copying = await findCopying(disk.directory);
    expect(copying).toEqual({ by: kinds[kind], fileSystem: kind });
    const base = join(disk.directory, 'base');
    await makeBaseDirectory(copying, base);
    mkdirSync(join(base, 'data'), { mode: 0o700 });
    writeFileSync(join(base, 'data', 'rows'), Buffer.alloc(fileMb * 1_048_576, 7), { flush: true });
    if (copying.by === null) {
      await removeTree(base);
    } else {
      const before = statfsSync(disk.directory);
      const copy = join(disk.directory, 'copy');
      await copyTree(copying, base, copy, { withinMs: 60_000 });
      const after = statfsSync(disk.directory);
      expect((before.bfree - after.bfree) * before.bsize).toBeLessThan((fileMb / 4) * 1_048_576);
      writeFileSync(join(copy, 'data', 'rows'), 'other');
      expect(readFileSync(join(base, 'data', 'rows'))).toHaveLength(fileMb * 1_048_576);
      for (const tree of [copy, base, base]) await removeTree(tree);
    }
    expect(readdirSync(disk.directory).filter((name) => name !== 'lost+found')).toEqual([]);
  });

  it('follow no link when they are removed', async ({ skip }) => {
    const disk = disks.get('btrfs');
    if (disk == null) return skip("btrfs can't be made and mounted here");
    const [tree, live] = [join(disk.directory, 'tree'), join(disk.directory, 'live')];
    for (const directory of [tree, live]) mkdirSync(directory);
    writeFileSync(join(live, 'rows'), 'kept');
    symlinkSync(live, join(tree, 'link'));
    await removeTree(tree);
    expect([existsSync(tree), readFileSync(join(live, 'rows'), 'utf8')]).toEqual([false, 'kept']);
    rmSync(live, { recursive: true });
  });
});
