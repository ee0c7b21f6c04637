/**
 * A simulated PostgreSQL server: its processes, and what becomes of them when it is started, promoted, stopped, killed or
 * frozen. How it commits stands in commits.ts, how it follows another one in recovery.ts, what the agent asks of it in
 * postgres.ts.
 *
 * Invariants: processes that are gone do nothing; what outlives its postmaster goes on committing. Nobody here knows of
 * terms or leases: whether two of these write at once is what the simulator is for.
 */
import { type NodeName, slotName } from '../../core/spec.ts';
import type { Host } from '../world/host.ts';
import type { Network } from '../world/network.ts';
import type { Random } from '../world/random.ts';
import type { VirtualTime } from '../world/virtual-time.ts';
import { Commits } from './commits.ts';
import { FakeDisk } from './disk.ts';
import { Recovery } from './recovery.ts';
import type { ReplicationStream } from './replication-stream.ts';
import { type Commit, ServerProcess } from './server-process.ts';

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

const remnantsLiveMs = 2_000;
const stuckRemnantsLiveMs = 300_000;

export class FakeServer {
  readonly node: NodeName;
  readonly host: Host;
  readonly disk = new FakeDisk();
  process: ServerProcess | null = null;
  /** The next so many of these fail. */
  readonly failing = { start: 0, promote: 0, clone: 0, rewind: 0, stop: 0 };
  readonly commits: Commits;
  readonly recovery: Recovery;
  readonly #world: ServerWorld;
  readonly #random: Random;
  #pids = 100;
  #stillUntilMs = Number.NEGATIVE_INFINITY;

  constructor(node: NodeName, host: Host, world: ServerWorld, random: Random) {
    this.node = node;
    this.host = host;
    this.#world = world;
    this.#random = random;
    this.commits = new Commits(this, world, random);
    this.recovery = new Recovery(this, world, random);
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
    this.disk.checkpointed();
    process.replayed = this.disk.end;
    this.commits.readSync(process);
    if (process.role === 'primary') {
      this.commits.append(0);
      this.#world.watcher.becameWritable(this);
    } else this.recovery.connect(process);
  }

  promote(process: ServerProcess, timeline: number): void {
    if (this.process !== process) return;
    this.recovery.endReceiver(process);
    process.replayed = this.disk.end;
    this.disk.history = [...this.disk.history, { timeline, at: this.disk.end }];
    this.commits.append(0);
    this.disk.flushed = this.disk.end;
    process.role = 'primary';
    this.disk.lastRole = 'primary';
    this.disk.upstream = null;
    this.commits.readSync(process);
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
    this.recovery.endReceiver(process);
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
    this.commits.breakOff(process);
    this.later(process, this.#random.skewed(5, 60) + this.disk.slowByMs, () =>
      this.disk.whenThawed(() =>
        this.whenRunning(process, () => {
          if (process.role === 'primary') this.disk.writeShutdown(this.#world.nextSerial());
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
    this.commits.forgetFlush();
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

  /** By a signal from whoever starts it, whoever stopped it. */
  continueStopped(process: ServerProcess): void {
    const wasStill = process.isStill;
    process.holds.clear();
    if (wasStill && !process.isStill) this.#goOn(process);
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
    this.commits.breakOff(process);
    this.commits.forgetFlush();
  }

  streamEnded(stream: ReplicationStream, process: ServerProcess): void {
    if (process.streams.get(stream.standby.node) === stream) process.streams.delete(stream.standby.node);
  }

  initialise(systemIdentifier: string): void {
    this.disk.initialise(systemIdentifier, this.#world.nextSerial());
  }
}
