/**
 * The fence's memory: its deadline in a file, for a fence that comes after one that died. The same file is the lock
 * that makes it the only one.
 *
 * Locked by flock(1) before the fence's program begins (fence/program.ts): the kernel lets go of the lock with the last
 * breath of the process, so nothing stale is ever to be judged. The program only makes sure that it holds it.
 *
 * Written in place, in the background, the newest state only: the fence must never wait for a disk. What a fence wrote
 * may therefore be older than what it last confirmed. That is safe: an older deadline kills earlier, and what is read
 * back never permits anything. A memory of another boot says nothing.
 */
import { fstatSync, openSync, readdirSync, readFileSync, statSync, write } from 'node:fs';
import { identify, type ProcessIdentity } from '../process/identity.ts';
import type { Warden, WardenMemory } from './warden.ts';
import { number, record, whole } from './wire.ts';

/** Always as long, so that a shorter text leaves nothing of a longer one behind. */
const sizeBytes = 512;

export interface Remembered extends WardenMemory {
  readonly watchdogArmed: boolean;
}

/** `process`: the fence that writes this, so that one that answers nobody can be found and ended. */
export function formatMemory(boot: string, process: ProcessIdentity, warden: Warden, watchdogArmed: boolean): string {
  const { highestTerm, deadline } = warden;
  const kept = deadline === null ? null : { term: deadline.term, atMs: deadline.atMs };
  // Before anybody has spoken for it, the next fence must be as watchful as this one.
  const attended = warden.unattendedUntilMs === null;
  const text = JSON.stringify({ boot, process, attended, highestTerm, deadline: kept, watchdogArmed });
  return `${text.padEnd(sizeBytes - 1)}\n`;
}

/** `null`: nothing is known, or of another boot, or torn. */
export function parseMemory(text: string, boot: string): Remembered | null {
  try {
    const read = record(JSON.parse(text), 'memory');
    // A fence from before `attended` was kept had always been spoken for when it wrote.
    if (read.boot !== boot || read.attended === false) return null;
    const deadline = read.deadline === null ? null : record(read.deadline, 'deadline');
    return {
      highestTerm: whole(read.highestTerm, 'highestTerm', 0),
      deadline:
        deadline === null ? null : { term: whole(deadline.term, 'term', 1), atMs: number(deadline.atMs, 'atMs') },
      watchdogArmed: read.watchdogArmed === true,
    };
  } catch {
    return null;
  }
}

/** Does this process hold an exclusive lock on that file? Asked of the kernel (proc(5), fdinfo). */
export function holdsLock(path: string): boolean {
  const wanted = statSync(path, { throwIfNoEntry: false });
  if (wanted === undefined) return false;
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      const opened = statSync(`/proc/self/fd/${fd}`);
      if (opened.ino !== wanted.ino || opened.dev !== wanted.dev) return false;
      return /^lock:.*\bFLOCK\s+ADVISORY\s+WRITE\b/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    } catch {
      return false; // the descriptor of the listing itself
    }
  });
}

export class MemoryFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  readonly #own = identify(process.pid) ?? { pid: process.pid, startTicks: -1 };
  #next: string | null = null;
  #written: string | null = null;
  #writing = false;

  /** Throws when the file is not there or may not be written: flock(1) made it. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, 'r+', 0o600);
  }

  read(): Remembered | null {
    return parseMemory(readFileSync(this.#fd, 'utf8'), this.#boot);
  }

  /** Returns at once. A write that fails leaves the older state, which is safe (above). */
  keep(warden: Warden, watchdogArmed: boolean): void {
    const text = formatMemory(this.#boot, this.#own, warden, watchdogArmed);
    this.#next = text === this.#written ? null : text;
    this.#flush();
  }

  /**
   * Another file stands in its place: a fence that locks that one may run beside this one. A file that is merely gone is
   * nobody's: whoever starts a fence makes it first.
   */
  isSuperseded(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false });
    const own = fstatSync(this.#fd);
    return now !== undefined && (now.ino !== own.ino || now.dev !== own.dev);
  }

  #flush(): void {
    const text = this.#next;
    if (this.#writing || text === null) return;
    this.#next = null;
    this.#writing = true;
    write(this.#fd, text, 0, 'utf8', (error) => {
      this.#writing = false;
      if (error === null) this.#written = text;
      this.#flush();
    });
  }
}
