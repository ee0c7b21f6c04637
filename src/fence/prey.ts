/**
 * Who must die at the deadline: finds it, kills it, and says when nothing is left.
 *
 * Killing the postmaster is not enough: a running backend goes on committing and acknowledging. So everything counts
 * that works in the data directory, and whoever is attached to the server's shared memory, wherever it works; nothing is
 * left when there is no such process and the segment that postmaster.pid named has no attachment.
 *
 * While a deadline stands, the data directory is held open: a server that goes on in a directory that was renamed is
 * found all the same, and no other directory can come to the same inode meanwhile. So the first blow touches no file
 * but the kernel's own, and falls also when the disk hangs.
 *
 * As an ordinary user only that user's processes are seen and killed; PostgreSQL runs as the user of its fence.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, ownProcesses, type ProcessIdentity, readCommandLine } from '../process/identity.ts';
import { openQuietly, readQuietly } from '../process/quiet-file.ts';
import { sendSignal } from '../process/signal.ts';
import type { ServerSeen } from './warden.ts';

interface Place {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** A segment of System V shared memory (shmget(2)); its id alone may be another program's by now. */
export interface Segment {
  /** Of 32 bits, with a sign. */
  readonly key: number;
  readonly id: number;
}

/** What of postmaster.pid matters here (utils/pidfile.h): its lines 1, 7 and 8. */
export interface PostmasterLines {
  readonly pid: number;
  readonly segment: Segment | null;
  readonly status: string;
}

export function parsePostmasterLines(text: string): PostmasterLines | null {
  const lines = text.split('\n');
  // A single-user server writes its id with a minus.
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isSafeInteger(pid) || pid < 2) return null;
  return { pid, segment: parseSegment(lines[6] ?? ''), status: (lines[7] ?? '').trim() };
}

/** The key is made from the directory's inode and may be negative, which is written here as a number of 64 bits. */
function parseSegment(line: string): Segment | null {
  const [key = '', id = ''] = line.trim().split(/\s+/);
  if (!/^\d+$/.test(key) || !/^\d+$/.test(id)) return null;
  return { key: Number(BigInt.asIntN(32, BigInt(key))), id: Number(id) };
}

/** How many are attached to that segment, by the text of /proc/sysvipc/shm (proc(5)). */
export function attachmentsIn(table: string, { key, id }: Segment): number {
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === key && Number(fields[1]) === id) return Number(fields[6]);
  }
  return 0;
}

/** Does a process with these mappings (/proc/<pid>/maps) have that segment attached? Its id stands as the inode. */
export function mapsSegment(maps: string, { key, id }: Segment): boolean {
  return maps.split('\n').some((line) => {
    const [, , , , inode, name] = line.split(/\s+/);
    return Number(inode) === id && name === `/SYSV${(key >>> 0).toString(16).padStart(8, '0')}`;
  });
}

export class Prey {
  readonly #data: string;
  /** The data directory and those that it was before, held open. */
  #held: { readonly fd: number; readonly place: Place }[] = [];
  /** By key and id, as text. */
  readonly #segments = new Map<string, Segment>();
  /** The postmaster whose segment and directory were taken note of: while it lives there is nothing new to read. */
  #noted: ProcessIdentity | null = null;

  constructor(data: string) {
    this.#data = data;
  }

  /** Takes note of what the data directory is now; called with every renewal. */
  remember(): void {
    if (this.#noted !== null && isAlive(this.#noted)) return;
    this.#noteSegment();
    this.#noted = this.#segments.size === 0 ? null : this.livingPostmaster();
    const place = placeOf(this.#data);
    if (place === null || this.#held.some((one) => isSame(one.place, place))) return;
    try {
      const fd = openSync(this.#data, 'r');
      this.#held.push({ fd, place: fstatSync(fd, { bigint: true }) });
    } catch {
      // it went in between, or no more files can be opened: found by its path then
    }
  }

  /** Lets go of every directory, so that nothing keeps a file system busy for a server that is gone. */
  forget(): void {
    for (const { fd } of this.#held) closeSync(fd);
    this.#held = [];
    this.#segments.clear();
    this.#noted = null;
  }

  /** Sends SIGKILL to all of it once; answers how many were left. 0 means proven gone. */
  strike(): number {
    const known = this.#kill(this.#held.map(({ place }) => place));
    if (known > 0) return known;
    this.#noteSegment();
    const found = this.#kill(this.#places());
    if (found > 0) return found;
    const attached = this.#attachments();
    if (attached === 0) return 0;
    for (const one of this.#attached()) sendSignal(one, 'SIGKILL');
    return attached;
  }

  /** Kills what a dead postmaster left, and only that; answers whether something is left. */
  strikeRemnants(): boolean {
    if (this.server() !== 'remnants') return false;
    for (const one of this.#attached()) sendSignal(one, 'SIGKILL');
    return true;
  }

  server(): ServerSeen {
    this.#noteSegment();
    const lines = this.postmaster();
    const postmaster = lines === null ? null : this.#living(lines);
    if (lines === null || postmaster === null) return this.#attachments() > 0 ? 'remnants' : 'none';
    return this.#isStandby(lines) ? 'standby' : 'primary';
  }

  /**
   * At a promotion the signal file goes before the first write (StartupXLOG). A file that was laid there beside a
   * running primary makes no standby of it: the control file says so, once the server is ready.
   */
  #isStandby({ status }: PostmasterLines): boolean {
    if (!existsSync(join(this.#data, 'standby.signal'))) return false;
    return status !== 'ready' || readDatabaseState(join(this.#data, 'global/pg_control')) !== inProduction;
  }

  /** The postmaster that runs here now. */
  livingPostmaster(): ProcessIdentity | null {
    const lines = this.postmaster();
    return lines === null ? null : this.#living(lines);
  }

  postmaster(): PostmasterLines | null {
    const text = readDataFile(join(this.#data, 'postmaster.pid'));
    return text === null ? null : parsePostmasterLines(text);
  }

  #living({ pid }: PostmasterLines): ProcessIdentity | null {
    const identity = identify(pid);
    if (identity === null || !this.#worksHere(pid)) return null;
    // After a crash its id may be a former child's or another program's; children show a title as their only argument.
    return readCommandLine(pid)[0]?.startsWith('postgres:') === false ? identity : null;
  }

  #noteSegment(): void {
    const segment = this.postmaster()?.segment ?? null;
    if (segment !== null) this.#segments.set(`${segment.key} ${segment.id}`, segment);
  }

  #places(): readonly Place[] {
    const now = placeOf(this.#data);
    const held = this.#held.map(({ place }) => place);
    return now === null || held.some((place) => isSame(place, now)) ? held : [...held, now];
  }

  #worksHere(pid: number): boolean {
    const seen = placeOf(`/proc/${pid}/cwd`);
    return seen !== null && this.#places().some((place) => isSame(place, seen));
  }

  /** Everything that works in one of these; answers how many. */
  #kill(places: readonly Place[]): number {
    if (places.length === 0) return 0;
    const found = ownProcesses((pid) => {
      if (pid === process.pid) return false;
      const seen = placeOf(`/proc/${pid}/cwd`);
      return seen !== null && places.some((place) => isSame(place, seen));
    });
    for (const one of found) sendSignal(one, 'SIGKILL');
    return found.length;
  }

  #attachments(): number {
    if (this.#segments.size === 0) return 0;
    const table = readText('/proc/sysvipc/shm') ?? '';
    let sum = 0;
    for (const segment of this.#segments.values()) sum += attachmentsIn(table, segment);
    return sum;
  }

  /** Dear, since all mappings are read: only when somebody is attached who works elsewhere. */
  #attached(): readonly ProcessIdentity[] {
    return ownProcesses((pid) => {
      if (pid === process.pid) return false;
      const maps = readText(`/proc/${pid}/maps`);
      return maps !== null && [...this.#segments.values()].some((segment) => mapsSegment(maps, segment));
    });
  }
}

function placeOf(path: string): Place | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { dev, ino };
  } catch {
    return null; // there is none, or it may not be looked at
  }
}

function isSame(one: Place, other: Place): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** As `DBState` in catalog/pg_control.h of every supported major: the 32 bits after the identifier and two versions. */
const inProduction = 6;
const databaseStateAt = 16;

function readDatabaseState(path: string): number | null {
  try {
    const fd = openQuietly(path);
    try {
      const state = Buffer.alloc(4);
      return readSync(fd, state, 0, 4, databaseStateAt) === 4 ? state.readInt32LE() : null;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** Of the data directory, whose disk may hang. */
function readDataFile(path: string): string | null {
  try {
    return readQuietly(path).toString('latin1');
  } catch {
    return null;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}
