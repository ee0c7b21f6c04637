/** What the host has to offer: disk, open files, shared memory, a steady clock. */
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { bad, ok } from './finding.ts';

const gibibyte = 1024 ** 3;
const lowDiskBytes = gibibyte;
/** A pooler needs one for each client and each server connection, and agents serve streams besides. */
const fewOpenFiles = 4_096;
/** PostgreSQL's parallel queries share memory through /dev/shm; containers often have 64 MiB. */
const littleSharedMemoryBytes = 128 * 1024 ** 2;
/** Reading these costs microseconds, and some of them jump. */
const slowClocks: readonly string[] = ['hpet', 'acpi_pm', 'jiffies', 'pit'];

/** `directory` need not exist yet. */
export async function checkDisk(directory: string): Promise<DoctorFinding> {
  for (let path = directory; ; path = dirname(path)) {
    const facts = await statfs(path).catch(() => null);
    if (facts !== null) return diskFinding(directory, facts.bavail * facts.bsize, facts.ffree, facts.files);
    if (path === dirname(path))
      return bad('disk', 'warning', `can't tell how much is free for ${directory}`, 'check that the path is right');
  }
}

function diskFinding(directory: string, freeBytes: number, freeFiles: number, files: number): DoctorFinding {
  const text = `${(freeBytes / gibibyte).toFixed(1)} GiB free for ${directory}`;
  if (freeBytes < lowDiskBytes) return bad('disk', 'warning', text, 'a full disk stops PostgreSQL: free some space');
  // Some file systems do not count files.
  if (files > 0 && freeFiles < 10_000)
    return bad(
      'disk',
      'warning',
      `${freeFiles} files can still be made for ${directory}`,
      'the file system runs out of inodes: remove files',
    );
  return ok('disk', text);
}

export function checkOpenFiles(): DoctorFinding {
  const [, limit = ''] = /^Max open files\s+(\S+)/m.exec(readText('/proc/self/limits')) ?? [];
  const count = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  if (limit === '' || Number.isNaN(count))
    return bad('open files', 'warning', 'the limit of open files is not known', 'see /proc/self/limits');
  if (count >= fewOpenFiles) return ok('open files', `${limit} files may be open`);
  return bad(
    'open files',
    'warning',
    `only ${limit} files may be open`,
    'raise it: LimitNOFILE in the unit, or ulimit -n',
  );
}

export async function checkSharedMemory(): Promise<DoctorFinding> {
  const facts = await statfs('/dev/shm').catch(() => null);
  if (facts === null)
    return bad('shared memory', 'warning', 'there is no /dev/shm', 'mount a tmpfs there: PostgreSQL uses it');
  const bytes = facts.blocks * facts.bsize;
  const text = `/dev/shm has ${Math.round(bytes / 1024 ** 2)} MiB`;
  return bytes >= littleSharedMemoryBytes
    ? ok('shared memory', text)
    : bad('shared memory', 'warning', text, 'make it larger, or parallel queries fail');
}

/** The lease is counted on boottime, which needs /proc/uptime and a clock source that neither jumps nor costs much. */
export function checkClockSource(): DoctorFinding {
  if (!/^\d+\.\d+ /.test(readText('/proc/uptime')))
    return bad('clock', 'failure', '/proc/uptime can not be read', 'mount /proc: the lease is counted by it');
  const source = readText('/sys/devices/system/clocksource/clocksource0/current_clocksource').trim();
  if (slowClocks.includes(source))
    return bad(
      'clock',
      'warning',
      `the clock source is ${source}`,
      'prefer tsc, kvm-clock or another that the host offers',
    );
  return ok('clock', source === '' ? 'boottime can be read' : `boottime comes from ${source}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
