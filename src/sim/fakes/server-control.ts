/**
 * How an agent starts, points elsewhere, promotes and stops a simulated server.
 *
 * Invariants: nothing becomes writable but through the fence; what was told to the server by a signal happens whatever
 * becomes of the agent; a stop returns only when every process is gone, a cut only when nothing is acknowledged any more.
 */
import type { SyncSet } from '../../core/durability.ts';
import type { NodeName } from '../../core/spec.ts';
import type { ActOptions, StartAs } from '../../ports/postgres.ts';
import type { Random } from '../world/random.ts';
import { type ActTime, failed, pollMs } from './act.ts';
import type { FakePostgresParts } from './postgres.ts';
import type { FakeServer } from './server.ts';
import type { ServerProcess } from './server-process.ts';

/** What holds up a stop longer than this is ended, but for the standby that is waited for. */
const walsenderGraceMs = 40;
/** A start that lasts longer has its processes continued, should a signal have stopped them. */
const suspicionMs = 1_000;

export class ServerControl {
  readonly #parts: FakePostgresParts;
  readonly #server: FakeServer;
  readonly #random: Random;
  readonly #time: ActTime;
  readonly #configured: () => SyncSet | null;

  /** `configured`: the set that was last asked for; `null`: none was, and what stands in the files counts. */
  constructor(parts: FakePostgresParts, time: ActTime, configured: () => SyncSet | null) {
    this.#parts = parts;
    this.#server = parts.server;
    this.#random = parts.random;
    this.#time = time;
    this.#configured = configured;
  }

  async start(as: StartAs, options: ActOptions): Promise<void> {
    this.#parts.onAct('start');
    const { disk, failing } = this.#server;
    const running = this.#server.process;
    if (running?.hasPostmaster) {
      await this.#untilReady(running, options);
      if (running.role !== as.role) throw failed(`the server runs as ${running.role}`);
      if (as.role === 'standby') this.#point(as.upstream?.node ?? null);
      return;
    }
    this.#server.kill(); // what its postmaster left behind
    if (disk.content !== 'cluster') throw failed('there is no cluster');
    disk.syncFile = this.#configured() ?? disk.syncFile;
    disk.upstream = as.role === 'standby' ? (as.upstream?.node ?? null) : null;
    await this.#time.take(this.#random.between(5, 30), options);
    const begin = (): ServerProcess => {
      if (this.#server.process !== null) throw failed('a server runs already');
      return this.#server.begin(as.role);
    };
    const { agent, fence } = this.#parts;
    const process = await agent.through(as.role === 'primary' ? fence.makeWritable(begin) : fence.makeStandby(begin));
    const isFailing = failing.start > 0 || disk.isFull;
    if (failing.start > 0) failing.start -= 1;
    this.#server.later(process, this.#random.skewed(20, 400) + disk.slowByMs, () => {
      if (isFailing) this.#server.kill();
      else this.#server.ready(process);
    });
    await this.#untilReady(process, options);
  }

  async #untilReady(process: ServerProcess, options: ActOptions): Promise<void> {
    const { clock } = this.#parts.agent;
    const begunAtMs = clock.boottimeMs();
    await this.#time.until(options, 'the server did not become ready', () => {
      if (this.#server.process !== process) throw failed('postgres ended');
      if (clock.boottimeMs() - begunAtMs >= suspicionMs) this.#server.continueStopped(process);
      return process.phase === 'ready';
    });
  }

  async follow(upstream: { readonly node: NodeName }, _slot: string, options: ActOptions): Promise<boolean> {
    this.#parts.onAct('follow');
    await this.#time.take(this.#random.between(1, 20), options);
    return this.#point(upstream.node);
  }

  /** Answers whether it pointed elsewhere. */
  #point(upstream: NodeName | null): boolean {
    const { process, disk } = this.#server;
    if (disk.upstream === upstream) return false;
    disk.upstream = upstream;
    if (process === null) return true;
    process.cannotStream = null;
    this.#server.recovery.endReceiver(process);
    this.#server.recovery.connect(process);
    return true;
  }

  async cutOff(options: ActOptions): Promise<void> {
    const { process, disk } = this.#server;
    disk.upstream = null;
    await this.#time.take(this.#random.skewed(2, 300), options);
    if (process === null || this.#server.process !== process) throw failed('no server runs');
    // With replay paused, the receiver would stay: its startup process looks at nothing.
    if (process.freeze === 'none' && !process.replayPaused) {
      this.#server.recovery.endReceiver(process);
      return;
    }
    this.#server.kill();
    await this.start({ role: 'standby', upstream: null, slot: '' }, options);
  }

  async promote(timeline: number | null, options: ActOptions): Promise<void> {
    this.#parts.onAct('promote');
    const { process, disk, failing } = this.#server;
    if (process === null || process.phase !== 'ready' || process.freeze !== 'none')
      throw failed('no server to promote');
    if (process.role === 'primary') return;
    await this.#time.take(this.#random.between(1, 5), options);
    await this.#parts.agent.through(this.#parts.fence.makeWritable(() => process));
    const isFailing = failing.promote > 0;
    if (isFailing) failing.promote -= 1;
    else {
      const newest = Math.max(...disk.history.map((fork) => fork.timeline));
      // Told by a signal: it happens whatever becomes of the agent.
      this.#server.later(process, this.#random.skewed(5, 80) + disk.slowByMs, () =>
        // Its history file and its end-of-recovery record reach the disk first.
        disk.whenThawed(() =>
          this.#server.whenRunning(process, () => this.#server.promote(process, timeline ?? newest + 1)),
        ),
      );
    }
    await this.#time.until(options, 'the server does not accept writes yet', () => {
      if (this.#server.process !== process) throw failed('postgres ended');
      return process.role === 'primary';
    });
  }

  async stop(
    how: { readonly patienceMs: number; readonly awaitStandby: NodeName | null },
    options: ActOptions,
  ): Promise<{ clean: null }> {
    this.#parts.onAct('stop');
    const { process, failing } = this.#server;
    if (process === null) return { clean: null };
    const hangs = failing.stop > 0 || process.freeze !== 'none' || !process.hasPostmaster;
    if (failing.stop > 0) failing.stop -= 1;
    if (process.phase === 'ready' && !hangs) {
      const spare = how.awaitStandby;
      this.#server.stopFast(process);
      const { clock } = this.#time;
      const begunAtMs = clock.boottimeMs();
      while (this.#server.process === process && clock.boottimeMs() - begunAtMs < how.patienceMs) {
        await clock.sleep(pollMs, options.signal);
        if (clock.boottimeMs() - begunAtMs < walsenderGraceMs) continue;
        for (const [node, stream] of [...process.streams]) {
          if (node !== spare) stream.endAtSource();
        }
      }
    } else if (process.hasPostmaster) await this.#time.take(how.patienceMs, options);
    if (this.#server.process !== process) return { clean: null };
    await this.#time.take(this.#random.between(5, 60), options);
    if (this.#server.process === process) this.#server.kill();
    await this.#time.until(options, 'a process can not be ended', () => this.#server.process !== process);
    return { clean: null };
  }
}
