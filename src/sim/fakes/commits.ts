/**
 * How a simulated server answers commits: written to WAL, flushed, confirmed by standbys, and only then is the client told.
 *
 * Invariants: a commit is answered only when its record is flushed here and, if a replicated commit was asked for, when
 * enough of those that the walsenders know of have confirmed it; one flush at a time. Whether this server may commit at
 * all is nobody's question here.
 */
import type { SyncSet } from '../../core/durability.ts';
import { slotName } from '../../core/spec.ts';
import type { Random } from '../world/random.ts';
import type { FakeServer, ServerWorld } from './server.ts';
import type { Commit, ServerProcess, WaitingCommit } from './server-process.ts';

export class Commits {
  readonly #server: FakeServer;
  readonly #world: ServerWorld;
  readonly #random: Random;
  #isFlushing = false;

  constructor(server: FakeServer, world: ServerWorld, random: Random) {
    this.#server = server;
    this.#world = world;
    this.#random = random;
  }

  execute(commit: Commit): void {
    const { process } = this.#server;
    if (process === null || process.phase !== 'ready') {
      commit.answer('refused');
      return;
    }
    this.#server.whenRunning(process, () => {
      if (process.phase !== 'ready') commit.answer('refused');
      else if (process.role === 'standby') commit.answer('read-only');
      else this.#commit(process, commit);
    });
  }

  #commit(process: ServerProcess, commit: Commit): void {
    if (this.#server.disk.isFull) {
      // WAL that can't be written is a PANIC.
      commit.answer('broken');
      this.#server.kill();
      return;
    }
    process.waiting.push({ commit, position: this.append(commit.row) });
  }

  /** Writes a record, and flushes it in a while; 0 is a record of the server's own. Answers the position after it. */
  append(row: number): number {
    const { disk } = this.#server;
    disk.records.push({ row, serial: this.#world.nextSerial() });
    if (disk.end % 64 === 0) disk.removeOldWal();
    this.#flush();
    return disk.end;
  }

  /** Everybody who waits finds the connection broken, and knows nothing. */
  breakOff(process: ServerProcess): void {
    for (const { commit } of process.waiting.splice(0)) commit.answer('broken');
  }

  /** The processes are gone, and with them the flush that one of them was at. */
  forgetFlush(): void {
    this.#isFlushing = false;
  }

  #flush(): void {
    const { process, disk } = this.#server;
    if (process === null || this.#isFlushing) return;
    this.#isFlushing = true;
    const target = disk.end;
    this.#server.later(process, this.#random.skewed(0.1, 1) + disk.slowByMs, () =>
      disk.whenThawed(() =>
        this.#server.whenRunning(process, () => {
          this.#isFlushing = false;
          disk.flushed = Math.max(disk.flushed, Math.min(target, disk.end));
          this.#release(process);
          for (const stream of process.streams.values()) stream.pump();
          if (disk.flushed < disk.end) this.#flush();
        }),
      ),
    );
  }

  /** Something may have become true that a commit waits for. */
  #release(process: ServerProcess): void {
    const left: WaitingCommit[] = [];
    const done: Commit[] = [];
    for (const waiting of process.waiting) {
      const isLocal = !waiting.commit.replicated || process.sync.checkpointer.standbys.length === 0;
      const isHere = waiting.position <= this.#server.disk.flushed;
      if (isHere && (isLocal || isConfirmed(process, waiting.position))) done.push(waiting.commit);
      else left.push(waiting);
    }
    process.waiting = left;
    for (const commit of done) {
      this.#world.watcher.acknowledged(this.#server, commit);
      commit.answer('committed');
    }
  }

  /** A standby of this process has said how far it has flushed. */
  confirmed(process: ServerProcess): void {
    const { slots } = this.#server.disk;
    for (const [node, stream] of process.streams) {
      const slot = slotName(node);
      const kept = slots.get(slot);
      if (kept !== undefined && kept !== null) slots.set(slot, Math.max(kept, stream.flushed));
    }
    this.#release(process);
  }

  /** At a start: every process reads the files that stand there. */
  readSync(process: ServerProcess): void {
    const set = this.#server.disk.syncFile;
    process.sync = { sessions: set, walsenders: set, checkpointer: set };
  }

  /** A reload reaches the processes one by one; calls back when it has reached all. */
  reloadSync(process: ServerProcess, set: SyncSet, done: () => void): void {
    this.#server.disk.syncFile = set;
    const kinds = ['sessions', 'walsenders', 'checkpointer'] as const;
    let left = kinds.length;
    for (const kind of kinds) {
      this.#server.later(process, this.#random.skewed(0.5, 60), () => {
        process.sync = { ...process.sync, [kind]: set };
        this.#release(process);
        left -= 1;
        if (left === 0) done();
      });
    }
  }
}

function isConfirmed(process: ServerProcess, position: number): boolean {
  const { standbys, k } = process.sync.walsenders;
  if (standbys.length === 0) return false;
  const confirmed = standbys.filter((node) => (process.streams.get(node)?.flushed ?? 0) >= position);
  return confirmed.length >= k;
}
