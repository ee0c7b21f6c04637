/**
 * Copies of a directory tree that share its blocks, where the file system can: a btrfs snapshot, or files cloned one by one (XFS, btrfs,
 * and ZFS from 2.2 on where block cloning is switched on).
 *
 * What a file system can do is found out by trying it in that very directory: its name says little of how it was made. ZFS's own snapshots
 * are not used: they need rights over datasets, and nobody could try them here.
 *
 * Invariant: `from` is never changed, and no server runs in it.
 */
import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Copying } from '../core/backups/past-method.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { run } from '../process/run.ts';

const tryWithinMs = 10_000;

/** statfs(2) */
const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  16914836: 'tmpfs',
};

async function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(program, args, { withinMs: tryWithinMs, env: environment, cwd: '/' });
    return true;
  } catch {
    return false; // which is the answer, whatever the reason
  }
}

const environment = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

/** Leaves nothing in the directory. */
export async function findCopying(directory: string): Promise<Copying> {
  const { type } = await statfs(directory);
  const fileSystem = fileSystems[type] ?? `0x${type.toString(16)}`;
  const place = await mkdtemp(join(directory, '.try-'));
  try {
    if (fileSystem === 'btrfs' && (await trySnapshot(place))) return { by: 'btrfs-snapshot', fileSystem };
    const [from, to] = [join(place, 'from'), join(place, 'to')];
    await writeFile(from, Buffer.alloc(65_536, 1));
    const shares = await succeeds('cp', ['--reflink=always', from, to]);
    return { by: shares ? 'reflink' : null, fileSystem };
  } finally {
    await removeTree(place);
  }
}

async function trySnapshot(place: string): Promise<boolean> {
  const [from, to] = [join(place, 'subvolume'), join(place, 'snapshot')];
  if (!(await succeeds('btrfs', ['subvolume', 'create', from]))) return false;
  const done = await succeeds('btrfs', ['subvolume', 'snapshot', from, to]);
  for (const each of [to, from]) await removeTree(each);
  return done;
}

/** The directory of a base, empty: a subvolume where snapshots are made of it. */
export async function makeBaseDirectory({ by }: Copying, directory: string): Promise<void> {
  if (by !== 'btrfs-snapshot') await mkdir(directory, { mode: 0o700 });
  else await run('btrfs', ['subvolume', 'create', directory], { withinMs: tryWithinMs, env: environment, cwd: '/' });
}

/** `to` must not be there. Throws PROCESS_FAILED, TIMEOUT; what there is of the copy by then is left. */
export async function copyTree(copying: Copying, from: string, to: string, options: ActOptions): Promise<void> {
  if (existsSync(to)) throw new UnderstudyError('BROKEN_INVARIANT', `${to} is there already`);
  const bounds = { ...options, env: environment, cwd: '/' };
  switch (copying.by) {
    case 'btrfs-snapshot':
      await run('btrfs', ['subvolume', 'snapshot', from, to], bounds);
      return;
    case 'reflink':
      // It ends with this process, whatever ends that: what is left is removed, and nobody may add to it meanwhile.
      await run(
        'setpriv',
        ['--pdeathsig', 'KILL', 'cp', '--archive', '--reflink=always', '--no-target-directory', from, to],
        bounds,
      );
      return;
    case null:
      throw new UnderstudyError('BROKEN_INVARIANT', `${copying.fileSystem} makes no copies that share blocks`);
    default:
      copying.by satisfies never;
  }
}

/** A subvolume, too; where its owner may not delete it at once, by what is in it. Follows no link, and may be repeated. */
export async function removeTree(directory: string): Promise<void> {
  if (await isSubvolume(directory)) await succeeds('btrfs', ['subvolume', 'delete', directory]);
  await rm(directory, { recursive: true, force: true });
}

/** The first inode of each (btrfs-subvolume(8)). */
async function isSubvolume(directory: string): Promise<boolean> {
  if (!existsSync(directory)) return false;
  const [{ type }, { ino }] = await Promise.all([statfs(directory), lstat(directory)]);
  return fileSystems[type] === 'btrfs' && ino === 256;
}
