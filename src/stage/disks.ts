/**
 * A file system of its own for the data directory of each database node: ext4 in a sparse file, mounted by loop device in
 * the node's own mount namespace only, so that the mount goes with the node's last process (holders.ts).
 *
 * Invariant: a frozen file system is thawed before anything that works on it is ended; what waits for it can't be killed.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../process/run.ts';
import { runInside, seenFromOutside, toolEnvironment } from './holders.ts';
import { makeDirectory } from './node-files.ts';
import { diskDirectory, nodeDirectory, type StageRecord } from './record.ts';

const toolWithinMs = 60_000;
/** What is left below this goes in small writes, as the last of an ext4 can't be had at once. */
const crumbBytes = 4_096;
const tries = 20;

function filler(record: StageRecord, node: string): string {
  return join(diskSeen(record, node), '.filled');
}

function imageOf(record: StageRecord, node: string): string {
  return join(nodeDirectory(record, node), 'disk.img');
}

function diskSeen(record: StageRecord, node: string): string {
  return seenFromOutside(record, node, diskDirectory(record, node));
}

export function disks(record: StageRecord): readonly string[] {
  return record.diskMb === null ? [] : record.nodes.filter(({ role }) => role === 'database').map(({ name }) => name);
}

/** Makes and mounts what is not yet. Throws PROCESS_FAILED. */
export async function mountDisks(record: StageRecord): Promise<void> {
  for (const node of disks(record)) {
    const image = imageOf(record, node);
    if (!existsSync(image)) await makeImage(record, image);
    makeDirectory(record, diskDirectory(record, node), 0o750);
    if (statSync(diskSeen(record, node)).dev !== statSync(nodeDirectory(record, node)).dev) continue;
    await runInside(record, node, ['mount', '-t', 'ext4', '-o', 'loop,relatime', image, diskDirectory(record, node)]);
  }
}

async function makeImage(record: StageRecord, image: string): Promise<void> {
  const file = openSync(image, 'wx', 0o600);
  try {
    ftruncateSync(file, (record.diskMb ?? 0) * 1024 * 1024);
    const owner = `root_owner=${record.user.uid}:${record.user.gid}`;
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', owner, image], {
      withinMs: toolWithinMs,
      env: toolEnvironment,
    });
  } catch (error) {
    rmSync(image, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Leaves not one block free; answers how many bytes that took. */
export async function fillDisk(record: StageRecord, node: string): Promise<number> {
  const path = filler(record, node);
  const options = { withinMs: toolWithinMs, env: toolEnvironment, anyExit: true };
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const { bavail, bsize } = statfsSync(diskSeen(record, node));
    // The first attempts take what they can get: an allocation that fails keeps the part that fitted.
    const bytes = Math.floor((bavail * bsize) / (attempt < 3 ? 1 : 2));
    if (bytes < crumbBytes) break;
    await run('fallocate', ['--offset', String(sizeOf(path)), '--length', String(bytes), path], options);
  }
  for (let attempt = 0; attempt < 1_024; attempt += 1) {
    try {
      appendFileSync(path, Buffer.alloc(crumbBytes));
    } catch {
      break; // full
    }
  }
  return sizeOf(path);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export function emptyDisk(record: StageRecord, node: string): void {
  rmSync(filler(record, node), { force: true });
}

export async function freezeDisk(record: StageRecord, node: string): Promise<void> {
  await run('fsfreeze', ['--freeze', diskSeen(record, node)], { withinMs: toolWithinMs, env: toolEnvironment });
}

/** One that is not frozen is left as it is. */
export async function thawDisk(record: StageRecord, node: string): Promise<void> {
  const options = { withinMs: toolWithinMs, env: toolEnvironment, anyExit: true };
  await run('fsfreeze', ['--unfreeze', diskSeen(record, node)], options);
}

/**
 * Of nodes whose namespaces are gone, or new and empty: lets go what is left of their disks. A file system that was frozen when its last mount went lives on in the
 * kernel, with its loop device, and can be thawed only through another mount (seen on Linux 6.18).
 */
export async function releaseDisks(record: StageRecord, nodes: readonly string[]): Promise<void> {
  const own = disks(record).filter((node) => nodes.includes(node));
  const images = own.map((node) => imageOf(record, node));
  for (const device of readdirSync('/sys/block')) {
    const image = backingFile(device);
    if (image === null || !images.includes(image)) continue;
    const thaw = 'mount "$1" "$2" && fsfreeze --unfreeze "$2"';
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', thaw, 'sh', `/dev/${device}`, dirname(image)];
    await run('unshare', args, { withinMs: toolWithinMs, env: toolEnvironment, anyExit: true });
  }
}

function backingFile(device: string): string | null {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, 'utf8').trim();
  } catch {
    return null; // no loop device, or one that is free
  }
}
