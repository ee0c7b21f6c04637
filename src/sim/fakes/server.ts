/**
 * A simulated PostgreSQL server: its processes, commits, replay, and what it does when it is started, promoted, stopped,
 * killed or frozen. What the agent asks of it stands in postgres.ts.
 *
 * Invariants: a commit is answered only when its record is flushed here and, if a replicated commit was asked for, when
 * the standbys that the walsenders know of have confirmed it; processes that are gone do nothing; what outlives its
 * postmaster goes on committing. Nobody here knows of terms or leases: whether two of these write at once is what the
 * simulator is for.
 */
import type { SyncSet } from '../../core/durability.ts';
import { type NodeName, slotName } from '../../core/spec.ts';
import type { Host } from '../world/host.ts';
import type { Network } from '../world/network.ts';
import type { Random } from '../world/random.ts';
import type { VirtualTime } from '../world/virtual-time.ts';
import { FakeDisk, type Fork, type WalRecord } from './disk.ts';
import { judgeStart, ReplicationStream } from './replication-stream.ts';
import { type Commit, ServerProcess, type WaitingCommit } from './server-process.ts';

/** What the checkers want to hear. */
export interface ServerWatcher {
  becameWritable(server: FakeServer): void;
  acknowledged(server: FakeServer, commit: Commit): void;
}

export interface ServerWorld {
  readonly time: VirtualTime;
  readonly network: Network;
  readonly watcher: ServerWatcher;
  server(node: NodeName): FakeServer | undefined;
  nextSerial(): number;
}

const reconnectMs = 200;
const connectWithinMs = 2_000;
const remnantsLiveMs = 2_000;
const stuckRemnantsLiveMs = 300_000;

export class FakeServer {
  readonly node: NodeName;
  readonly host: Host;
  readonly disk = new FakeDisk();
  process: ServerProcess | null = null;
  /** The next so many of these fail. */
  readonly failing = { start: 0, promote: 0, clone: 0, rewind: 0, stop: 0 };
  slowReplayMs = 0;
  readonly #world: ServerWorld;
  readonly #random: Random;
  #pids = 100;
  #isFlushing = false;
  #stillUntilMs = Number.NEGATIVE_INFINITY;

  constructor(node: NodeName, host: Host, world: ServerWorld, random: Random) {
    this.node = node;
    this.host = host;
    this.#world = world;
    this.#random = random;
  }

  get slot(): string {
    return slotName(this.node);
  }

  get time(): VirtualTime {
    return this.#world.time;
  }

  /** Could it answer a commit now? */
  get isWritable(): boolean {
    const { process } = this;
    return process !== null && process.role === 'primary' && process.phase === 'ready' && !process.isStill;
  }

  // ---- processes

  begin(role: 'primary' | 'standby'): ServerProcess {
    this.#pids += 1;
    const process = new ServerProcess(this.#pids, role, role === 'primary' ? this.disk.end : 0);
    this.process = process;
    this.disk.shutdown = 'crashed';
    this.disk.lastRole = role;
    return process;
  }

  /** Recovery is over: connections are accepted. */
  ready(process: ServerProcess): void {
    if (this.process !== process) return;
    // A server that was not shut down cleanly flushes its whole directory before anything else (fd.c, SyncDataDirectory).
    this.disk.flushed = this.disk.end;
    process.phase = 'ready';
    this.checkpointed();
    process.replayed = this.disk.end;
    this.#readSync(process, this.disk.syncFile);
    if (process.role === 'primary') {
      this.#append(0);
      this.#world.watcher.becameWritable(this);
    } else this.connect(process);
  }

  promote(process: ServerProcess, timeline: number): void {
    if (this.process !== process) return;
    this.endReceiver(process);
    process.replayed = this.disk.end;
    this.disk.history = [...this.disk.history, { timeline, at: this.disk.end }];
    this.#append(0);
    this.disk.flushed = this.disk.end;
    process.role = 'primary';
    this.disk.lastRole = 'primary';
    this.disk.upstream = null;
    this.#readSync(process, this.disk.syncFile);
    this.#world.watcher.becameWritable(this);
  }

  /** Every process of it at once; what waits for a dead disk does nothing from now on, and ends with that wait. */
  kill(): void {
    const { process } = this;
    if (process === null) return;
    if (this.disk.isDead) {
      process.isDoomed = true;
      return;
    }
    this.process = null;
    this.#end(process);
  }

  checkpointed(): void {
    this.disk.checkpointAt = Math.max(0, this.disk.end - 1);
  }

  wakeDisk(): void {
    this.disk.isDead = false;
    if (this.process?.isDoomed === true) this.kill();
    this.disk.thaw();
  }

  /** Backends go on for a while. */
  killPostmaster(outlivesMs?: number): void {
    const { process } = this;
    if (process === null) return;
    process.hasPostmaster = false;
    this.endReceiver(process);
    const isBusy = process.role === 'primary' && process.phase === 'ready';
    // One that is stopped by a signal itself, or hangs in its disk, does not notice.
    const outlives = this.#random.chance(0.1) ? stuckRemnantsLiveMs : remnantsLiveMs;
    this.time.after(isBusy ? (outlivesMs ?? this.#random.between(0, outlives)) : 1, () => {
      if (this.process === process) this.kill();
    });
  }

  /** A fast stop goes on by itself: the shutdown checkpoint, then every walsender's standby, then the end. */
  stopFast(process: ServerProcess): void {
    process.phase = 'stopping';
    for (const { commit } of process.waiting.splice(0)) commit.answer('broken');
    this.later(process, this.#random.skewed(5, 60) + this.disk.slowByMs, () =>
      this.disk.whenThawed(() =>
        this.whenRunning(process, () => {
          if (process.role === 'primary') this.#shutdownRecord();
          this.#awaitStandbys(process);
        }),
      ),
    );
  }

  #awaitStandbys(process: ServerProcess): void {
    const behind = [...process.streams.values()].filter((stream) => stream.flushed < this.disk.end);
    for (const stream of behind) stream.pump();
    if (behind.length > 0) {
      this.later(process, 2, () => this.#awaitStandbys(process));
      return;
    }
    this.kill();
    this.disk.shutdown = 'clean';
  }

  loseOperatingSystem(): void {
    const { process } = this;
    this.process = null;
    if (process !== null) {
      process.waiting = [];
      for (const stream of process.streams.values()) stream.endAtSource();
      process.receiver?.endAtStandby();
    }
    this.#isFlushing = false;
    this.disk.forgetUnflushed();
  }

  /** Until when nothing of it could run; it may have a word to say after that. */
  get stillUntilMs(): number {
    return Math.max(this.#stillUntilMs, this.host.resumedAtMs ?? Number.NEGATIVE_INFINITY);
  }

  /** Stops its postmaster, or all of its processes, by a signal, until what is answered is called. */
  freeze(what: 'postmaster' | 'all'): () => void {
    const { process } = this;
    const hold = { what };
    process?.holds.add(hold);
    return () => {
      const wasStill = process?.isStill === true;
      if (process?.holds.delete(hold) && wasStill && !process.isStill) this.#goOn(process);
    };
  }

  #goOn(process: ServerProcess): void {
    if (this.process !== process) return;
    this.#stillUntilMs = this.time.nowMs;
    const { backlog } = process;
    process.backlog = [];
    for (const run of backlog) this.whenRunning(process, run);
  }

  /** As soon as that process can do something; never, once it is gone. */
  whenRunning(process: ServerProcess, run: () => void): void {
    if (this.process !== process) return;
    if (process.isStill) process.backlog.push(() => this.whenRunning(process, run));
    else
      this.host.whenAwake(() => {
        if (this.process === process) run();
      });
  }

  later(process: ServerProcess, ms: number, run: () => void): void {
    this.time.after(ms, () => this.whenRunning(process, run));
  }

  #end(process: ServerProcess): void {
    for (const stream of [...process.streams.values()]) stream.endAtSource();
    process.receiver?.endAtStandby();
    const { waiting } = process;
    process.waiting = [];
    for (const { commit } of waiting) commit.answer('broken');
    this.#isFlushing = false;
  }

  // ---- commits

  execute(commit: Commit): void {
    const { process } = this;
    if (process === null || process.phase !== 'ready') {
      commit.answer('refused');
      return;
    }
    this.whenRunning(process, () => {
      if (process.phase !== 'ready') commit.answer('refused');
      else if (process.role === 'standby') commit.answer('read-only');
      else this.#commit(process, commit);
    });
  }

  #commit(process: ServerProcess, commit: Commit): void {
    if (this.disk.isFull) {
      // WAL that can't be written is a PANIC.
      commit.answer('broken');
      this.kill();
      return;
    }
    process.waiting.push({ commit, position: this.#append(commit.row) });
  }

  /** Answers the position after it. */
  #append(row: number): number {
    this.disk.records.push({ row, serial: this.#world.nextSerial() });
    if (this.disk.end % 64 === 0) this.removeOldWal();
    this.#flush();
    return this.disk.end;
  }

  #flush(): void {
    const { process, disk } = this;
    if (process === null || this.#isFlushing) return;
    this.#isFlushing = true;
    const target = disk.end;
    this.later(process, this.#random.skewed(0.1, 1) + disk.slowByMs, () =>
      disk.whenThawed(() =>
        this.whenRunning(process, () => {
          this.#isFlushing = false;
          disk.flushed = Math.max(disk.flushed, Math.min(target, disk.end));
          this.release(process);
          for (const stream of process.streams.values()) stream.pump();
          if (disk.flushed < disk.end) this.#flush();
        }),
      ),
    );
  }

  release(process: ServerProcess): void {
    const left: WaitingCommit[] = [];
    const done: Commit[] = [];
    for (const waiting of process.waiting) {
      const isLocal = !waiting.commit.replicated || process.sync.checkpointer.standbys.length === 0;
      const isHere = waiting.position <= this.disk.flushed;
      if (isHere && (isLocal || this.#isConfirmed(process, waiting.position))) done.push(waiting.commit);
      else left.push(waiting);
    }
    process.waiting = left;
    for (const commit of done) {
      this.#world.watcher.acknowledged(this, commit);
      commit.answer('committed');
    }
  }

  #isConfirmed(process: ServerProcess, position: number): boolean {
    const { standbys, k } = process.sync.walsenders;
    if (standbys.length === 0) return false;
    const confirmed = standbys.filter((node) => (process.streams.get(node)?.flushed ?? 0) >= position);
    return confirmed.length >= k;
  }

  #readSync(process: ServerProcess, set: SyncSet): void {
    process.sync = { sessions: set, walsenders: set, checkpointer: set };
  }

  /** A reload reaches the processes one by one; calls back when it has reached all. */
  reloadSync(process: ServerProcess, set: SyncSet, done: () => void): void {
    this.disk.syncFile = set;
    const kinds = ['sessions', 'walsenders', 'checkpointer'] as const;
    let left = kinds.length;
    for (const kind of kinds) {
      this.later(process, this.#random.skewed(0.5, 60), () => {
        process.sync = { ...process.sync, [kind]: set };
        this.release(process);
        left -= 1;
        if (left === 0) done();
      });
    }
  }

  // ---- replication

  /** Looks for its upstream, again and again, as long as it has one. */
  connect(process: ServerProcess): void {
    if (this.process !== process || process.role !== 'standby' || process.receiver !== null || process.isConnecting)
      return;
    const upstream = this.disk.upstream === null ? undefined : this.#world.server(this.disk.upstream);
    // The startup process asks for WAL, and does nothing while replay is paused.
    if (upstream === undefined || process.phase === 'starting' || process.replayPaused) return;
    process.isConnecting = true;
    let isOver = false;
    const over = (afterMs: number): void => {
      if (isOver) return;
      isOver = true;
      this.later(process, afterMs, () => {
        process.isConnecting = false;
        if (process.receiver === null) this.connect(process);
      });
    };
    this.time.after(connectWithinMs, () => over(reconnectMs));
    this.#world.network.send(this.host, upstream.host, () => {
      const source = upstream.process;
      if (source === null || source.phase !== 'ready' || !source.hasPostmaster || source.freeze !== 'none') {
        this.#world.network.send(upstream.host, this.host, () => over(reconnectMs));
        return;
      }
      this.#world.network.send(upstream.host, this.host, () =>
        this.whenRunning(process, () => {
          if (!isOver) this.#connected(process, upstream, source);
          over(reconnectMs);
        }),
      );
    });
  }

  #connected(process: ServerProcess, upstream: FakeServer, source: ServerProcess): void {
    if (this.disk.upstream !== upstream.node || upstream.process !== source || process.receiver !== null) return;
    const judged = judgeStart(upstream.disk, this.disk, slotName(this.node));
    process.cannotStream = judged === 'ok' || judged === 'ahead' ? null : judged;
    if (judged !== 'ok') return;
    source.streams.get(this.node)?.endAtSource();
    const stream = new ReplicationStream(upstream, this, source, process, this.#world.network);
    process.receiver = stream;
    process.hasReceived = true;
    source.streams.set(this.node, stream);
    upstream.confirmed(source);
    stream.pump();
  }

  endReceiver(process: ServerProcess): void {
    // It flushes what it has written before it ends (walreceiver.c, WalRcvDie).
    this.disk.flushed = this.disk.end;
    process.receiver?.endAtStandby();
  }

  receiverEnded(stream: ReplicationStream, process: ServerProcess): void {
    if (process.receiver !== stream) return;
    process.receiver = null;
    if (this.process === process && process.role === 'standby')
      this.later(process, reconnectMs, () => this.connect(process));
  }

  streamEnded(stream: ReplicationStream, process: ServerProcess): void {
    if (process.streams.get(stream.standby.node) === stream) process.streams.delete(stream.standby.node);
  }

  /** From files, not from a stream: nothing is acknowledged to anybody. */
  restore(process: ServerProcess, records: readonly WalRecord[]): void {
    if (this.process !== process || this.disk.isFull || process.receiver !== null) return;
    this.disk.records.push(...records);
    this.disk.flushed = this.disk.end;
    process.replayed = this.disk.end;
  }

  receive(process: ServerProcess, records: readonly WalRecord[], history: readonly Fork[], done: () => void): void {
    const { disk } = this;
    if (disk.isFull) {
      this.kill();
      return;
    }
    disk.records.push(...records);
    disk.history = history;
    const target = disk.end;
    if (target % 8 === 0) this.removeOldWal();
    this.#replay(process);
    this.later(process, this.#random.skewed(0.1, 1) + disk.slowByMs, () =>
      disk.whenThawed(() =>
        this.whenRunning(process, () => {
          disk.flushed = Math.max(disk.flushed, Math.min(target, disk.end));
          done();
        }),
      ),
    );
  }

  confirmed(process: ServerProcess): void {
    for (const [node, stream] of process.streams) {
      const slot = slotName(node);
      const kept = this.disk.slots.get(slot);
      if (kept !== undefined && kept !== null) this.disk.slots.set(slot, Math.max(kept, stream.flushed));
    }
    this.release(process);
  }

  #replay(process: ServerProcess): void {
    const target = this.disk.end;
    this.later(process, this.#random.skewed(0.05, 0.5) + this.slowReplayMs, () => {
      if (!process.replayPaused) process.replayed = Math.max(process.replayed, Math.min(target, this.disk.end));
    });
  }

  resumeReplay(): void {
    if (this.process === null) return;
    this.process.replayPaused = false;
    this.#replay(this.process);
    this.connect(this.process);
  }

  /** A new cluster's first WAL. */
  initialise(systemIdentifier: string): void {
    const { disk } = this;
    disk.content = 'cluster';
    disk.systemIdentifier = systemIdentifier;
    disk.records = [];
    disk.history = [{ timeline: 1, at: 0 }];
    this.#shutdownRecord();
    disk.shutdown = 'clean';
    disk.lastRole = 'primary';
  }

  /** What no slot holds back any more, and what a slot may no longer hold back. */
  removeOldWal(): void {
    const { disk } = this;
    let keep = Math.max(0, disk.flushed - keptRecords);
    for (const [slot, position] of disk.slots) {
      if (position === null) continue;
      if (disk.flushed - position > budgetRecords) disk.slots.set(slot, null);
      else keep = Math.min(keep, position);
    }
    disk.keptFrom = Math.max(disk.keptFrom, keep);
  }

  #shutdownRecord(): void {
    this.disk.records.push({ row: 0, serial: this.#world.nextSerial() });
    this.disk.flushed = this.disk.end;
  }
}

/** `wal_keep_size` and `max_slot_wal_keep_size`, in records; small, so that runs of a minute reach them. */
const keptRecords = 100;
const budgetRecords = 1_500;
