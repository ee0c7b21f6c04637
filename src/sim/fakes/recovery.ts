/**
 * A simulated server in recovery: it looks for its upstream, takes in what that sends, and replays it.
 *
 * Invariants: nobody streams to it but the upstream that its disk names; what it confirms it has flushed; while replay is
 * paused it asks for no stream, since it is the startup process that asks.
 */
import type { Random } from '../world/random.ts';
import type { Fork, WalRecord } from './disk.ts';
import { judgeStart, ReplicationStream } from './replication-stream.ts';
import type { FakeServer, ServerWorld } from './server.ts';
import type { ServerProcess } from './server-process.ts';

const reconnectMs = 200;
const connectWithinMs = 2_000;

export class Recovery {
  /** Replay lags by so much more, in ms. */
  slowByMs = 0;
  readonly #server: FakeServer;
  readonly #world: ServerWorld;
  readonly #random: Random;

  constructor(server: FakeServer, world: ServerWorld, random: Random) {
    this.#server = server;
    this.#world = world;
    this.#random = random;
  }

  /** Looks for its upstream, again and again, as long as it has one. */
  connect(process: ServerProcess): void {
    const { host, disk, time } = this.#server;
    const { network } = this.#world;
    const isRecovering = this.#server.process === process && process.role === 'standby';
    if (!isRecovering || process.receiver !== null || process.isConnecting) return;
    const upstream = disk.upstream === null ? undefined : this.#world.server(disk.upstream);
    // The startup process asks for WAL, and does nothing while replay is paused.
    if (upstream === undefined || process.phase === 'starting' || process.replayPaused) return;
    process.isConnecting = true;
    let isOver = false;
    const over = (afterMs: number): void => {
      if (isOver) return;
      isOver = true;
      this.#server.later(process, afterMs, () => {
        process.isConnecting = false;
        if (process.receiver === null) this.connect(process);
      });
    };
    time.after(connectWithinMs, () => over(reconnectMs));
    network.send(host, upstream.host, () => {
      const source = upstream.process;
      if (source === null || source.phase !== 'ready' || !source.hasPostmaster || source.freeze !== 'none') {
        network.send(upstream.host, host, () => over(reconnectMs));
        return;
      }
      network.send(upstream.host, host, () =>
        this.#server.whenRunning(process, () => {
          if (!isOver) this.#connected(process, upstream, source);
          over(reconnectMs);
        }),
      );
    });
  }

  #connected(process: ServerProcess, upstream: FakeServer, source: ServerProcess): void {
    const { node, disk, slot } = this.#server;
    if (disk.upstream !== upstream.node || upstream.process !== source || process.receiver !== null) return;
    const judged = judgeStart(upstream.disk, disk, slot);
    process.cannotStream = judged === 'ok' || judged === 'ahead' ? null : judged;
    if (judged !== 'ok') return;
    source.streams.get(node)?.endAtSource();
    const stream = new ReplicationStream(upstream, this.#server, source, process, this.#world.network);
    process.receiver = stream;
    process.hasReceived = true;
    source.streams.set(node, stream);
    upstream.commits.confirmed(source);
    stream.pump();
  }

  endReceiver(process: ServerProcess): void {
    const { disk } = this.#server;
    // It flushes what it has written before it ends (walreceiver.c, WalRcvDie).
    disk.flushed = disk.end;
    process.receiver?.endAtStandby();
  }

  receiverEnded(stream: ReplicationStream, process: ServerProcess): void {
    if (process.receiver !== stream) return;
    process.receiver = null;
    if (this.#server.process === process && process.role === 'standby')
      this.#server.later(process, reconnectMs, () => this.connect(process));
  }

  /** From its upstream; `done` when it is flushed. */
  receive(process: ServerProcess, records: readonly WalRecord[], history: readonly Fork[], done: () => void): void {
    const { disk } = this.#server;
    if (disk.isFull) {
      this.#server.kill();
      return;
    }
    disk.records.push(...records);
    disk.history = history;
    const target = disk.end;
    if (target % 8 === 0) disk.removeOldWal();
    this.#replay(process);
    this.#server.later(process, this.#random.skewed(0.1, 1) + disk.slowByMs, () =>
      disk.whenThawed(() =>
        this.#server.whenRunning(process, () => {
          disk.flushed = Math.max(disk.flushed, Math.min(target, disk.end));
          done();
        }),
      ),
    );
  }

  /** From files, not from a stream: nothing is acknowledged to anybody. */
  restore(process: ServerProcess, records: readonly WalRecord[]): void {
    const { disk } = this.#server;
    if (this.#server.process !== process || disk.isFull || process.receiver !== null) return;
    disk.records.push(...records);
    disk.flushed = disk.end;
    process.replayed = disk.end;
  }

  #replay(process: ServerProcess): void {
    const { disk } = this.#server;
    const target = disk.end;
    this.#server.later(process, this.#random.skewed(0.05, 0.5) + this.slowByMs, () => {
      if (!process.replayPaused) process.replayed = Math.max(process.replayed, Math.min(target, disk.end));
    });
  }

  resumeReplay(): void {
    const { process } = this.#server;
    if (process === null) return;
    process.replayPaused = false;
    this.#replay(process);
    this.connect(process);
  }
}
