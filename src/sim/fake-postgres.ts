/**
 * The PostgreSQL port over a simulated server, as one agent's process sees it: acts take time, fail, and end with their
 * agent.
 *
 * What it owes the port: observation never hangs, acts end at their deadline or by their signal, a stop returns only
 * when everything is gone, a cut only when nothing is acknowledged any more.
 */
import type { LocalPostgres, ReplicationPeer, SlotState } from '../core/cluster-view.ts';
import type { Stretch } from '../core/divergence.ts';
import type { SyncSet } from '../core/durability.ts';
import type { WalPiece } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Lsn } from '../core/lsn.ts';
import type { NodeName } from '../core/spec.ts';
import type { WriteProbe } from '../core/write-probe.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions, Postgres, Rescued, ServerConfiguration, StartAs } from '../ports/postgres.ts';
import { type FakeDisk, lsnOf, positionOf, type WalRecord } from './fake-disk.ts';
import type { FakeFence } from './fake-fence.ts';
import type { FakeServer } from './fake-server.ts';
import type { SimulatedProcess } from './host.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { CommitOutcome, ServerProcess } from './server-process.ts';

export interface FakePostgresParts {
  readonly server: FakeServer;
  readonly fence: FakeFence;
  readonly agent: SimulatedProcess;
  readonly network: Network;
  readonly random: Random;
  readonly systemIdentifier: string;
  readonly major: number;
  /** Told when something long begins: that is when a fault is worth most. */
  onAct(act: 'initialise' | 'clone' | 'start' | 'follow' | 'promote' | 'stop'): void;
  /** Told when the agent did what no agent may do. */
  onBroken(because: string): void;
  serverOf(node: NodeName): FakeServer | undefined;
}

const pollMs = 5;
const walsenderGraceMs = 40;
/** How the simulator writes a set of standbys into a configuration, and reads it back. */
export function encodeSet(set: SyncSet): string {
  return JSON.stringify(set);
}

function decodeSet(configuration: ServerConfiguration): SyncSet {
  const set: unknown = JSON.parse(configuration.parameters.synchronous_standby_names ?? '');
  if (!isSyncSet(set)) throw new UnderstudyError('BROKEN_INVARIANT', 'no set of standbys');
  return set;
}

function isSyncSet(value: unknown): value is SyncSet {
  return typeof value === 'object' && value !== null && 'standbys' in value && 'k' in value;
}

export class FakePostgres implements Postgres {
  readonly #parts: FakePostgresParts;
  readonly #server: FakeServer;
  readonly #random: Random;
  #configured: SyncSet | null = null;

  constructor(parts: FakePostgresParts) {
    this.#parts = parts;
    this.#server = parts.server;
    this.#random = parts.random;
  }

  async observe(withinMs: number): Promise<LocalPostgres> {
    const { process } = this.#server;
    if (process !== null && process.freeze !== 'none') {
      const isSeen = process.freeze === 'postmaster';
      await this.#pause(isSeen ? 1 : withinMs);
      return { state: 'unknown', because: 'the server does not answer', pid: process.pid };
    }
    await this.#pause(this.#random.between(0.5, 4));
    return this.#look();
  }

  #look(): LocalPostgres {
    const { process, disk } = this.#server;
    if (process === null) return disk.atRest();
    if (!process.hasPostmaster) return { state: 'orphaned', pid: process.pid };
    if (process.phase !== 'ready') return { state: process.phase, pid: process.pid };
    const facts = {
      pid: process.pid,
      systemIdentifier: disk.systemIdentifier,
      timeline: disk.timeline,
      serverVersion: 'simulated',
      major: this.#parts.major,
      slots: slotStates(this.#server),
      peers: peersOf(this.#server, process),
      pendingRestart: [],
      standbyMinimums: {},
    };
    if (process.role === 'primary') {
      const insertLsn = lsnOf(disk.end);
      return { state: 'primary', ...facts, insertLsn, fork: disk.fork, syncSet: process.sync.sessions };
    }
    const hasMore = process.hasReceived && disk.end > process.replayed;
    const isExhausted = process.replayed >= disk.end;
    return {
      state: 'standby',
      ...facts,
      receivedLsn: process.hasReceived ? lsnOf(disk.end) : null,
      replayedLsn: lsnOf(process.replayed),
      walEnd: hasMore || isExhausted ? lsnOf(disk.end) : null,
      replayPaused: process.replayPaused,
      lagS: process.receiver === null ? null : 0,
      upstream: disk.upstream,
      receiver: process.receiver !== null ? 'streaming' : disk.upstream === null ? 'none' : 'connecting',
      cannotStream: process.cannotStream,
    };
  }

  async initialise(options: ActOptions): Promise<{ systemIdentifier: string }> {
    this.#parts.onAct('initialise');
    const { disk } = this.#server;
    const configured = this.#mustBeConfigured();
    if (disk.content === 'cluster') throw failed('the data directory is not empty');
    disk.content = 'unfinished';
    await this.#take(this.#random.between(200, 800), options);
    const { systemIdentifier } = this.#parts;
    this.#server.initialise(systemIdentifier);
    disk.syncFile = configured;
    return { systemIdentifier };
  }

  async clone(
    upstream: { readonly node: NodeName },
    expected: { readonly slot: string },
    _onProgress: unknown,
    options: ActOptions,
  ): Promise<void> {
    this.#parts.onAct('clone');
    const configured = this.#mustBeConfigured();
    const { host, disk, failing } = this.#server;
    const { network } = this.#parts;
    const source = this.#parts.serverOf(upstream.node);
    if (source === undefined) throw failed('no such upstream');
    if (disk.content === 'absent') disk.content = 'unfinished';
    const begun = source.process;
    const isThere = (): boolean =>
      begun !== null && source.process === begun && begun.phase === 'ready' && network.isOpen(source.host, host);
    if (!isThere()) {
      await this.#take(50, options);
      throw failed('the upstream does not answer');
    }
    source.disk.slots.set(expected.slot, source.disk.flushed);
    await this.#take(this.#random.between(300, 1_500), options);
    if (failing.clone > 0) {
      failing.clone -= 1;
      throw failed('the copy broke off');
    }
    if (!isThere() || disk.isFull) throw failed('the upstream went away');
    disk.copyFrom(source.disk);
    disk.syncFile = configured;
    disk.upstream = upstream.node;
  }

  async rescue(request: { readonly stretches: readonly Stretch[] }, options: ActOptions): Promise<Rescued> {
    const { disk, process } = this.#server;
    if (process !== null) throw failed('a server still runs');
    await this.#take(this.#random.skewed(5, 500), options);
    const from = request.stretches[0]?.from ?? lsnOf(disk.end);
    const walBytes = Math.max(0, Number(lsnOf(disk.end) - from));
    const notKept = disk.isFull ? 'no room' : null;
    const found = { diverged: walBytes > 0, notKept, walBytes, dataBytes: Number(lsnOf(disk.end)) };
    return { found, report: null, isNew: false, removed: [] };
  }

  async rewind(
    upstream: { readonly node: NodeName },
    expected: { readonly slot: string },
    _onProgress: unknown,
    options: ActOptions,
  ): Promise<void> {
    const configured = this.#mustBeConfigured();
    const { host, disk, failing } = this.#server;
    const source = this.#parts.serverOf(upstream.node);
    const begun = source?.process ?? null;
    const isThere = (): boolean =>
      source !== undefined &&
      begun?.phase === 'ready' &&
      source.process === begun &&
      this.#parts.network.isOpen(source.host, host);
    await this.#take(this.#random.between(5, 100), options);
    // The rehearsal: nothing has been changed so far.
    const at = source === undefined ? 'diverged' : commonHistory(source.disk, disk);
    if (source === undefined || !isThere() || at === 'diverged') throw failed('the rehearsal of the rewind failed');
    disk.content = 'unfinished';
    source.disk.slots.set(expected.slot, source.disk.flushed);
    await this.#take(this.#random.between(50, 800), options);
    if (failing.rewind > 0) failing.rewind -= 1;
    else if (isThere() && !disk.isFull) {
      // Numbers alone tell it what both have: records that differ below the fork stay as they are.
      const kept = disk.records.slice(0, at);
      disk.copyFrom(source.disk);
      disk.records.splice(0, kept.length, ...kept);
      disk.syncFile = configured;
      disk.upstream = upstream.node;
      return;
    }
    throw failed('the rewind broke off');
  }

  async lostReports(): Promise<readonly LostReport[]> {
    return [];
  }

  async discardKept(options: ActOptions): Promise<void> {
    await this.#take(1, options);
  }

  async configure(configuration: ServerConfiguration, options: ActOptions): Promise<boolean> {
    const set = decodeSet(configuration);
    this.#configured = set;
    await this.#take(this.#random.between(0.5, 3), options);
    const { process, disk } = this.#server;
    if (disk.content !== 'cluster') return false;
    if (encodeSet(disk.syncFile) === encodeSet(set)) return false;
    disk.syncFile = set;
    if (process !== null && process.phase === 'ready') this.#server.reloadSync(process, set, () => undefined);
    return true;
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
    disk.syncFile = this.#configured ?? disk.syncFile;
    disk.upstream = as.role === 'standby' ? (as.upstream?.node ?? null) : null;
    await this.#take(this.#random.between(5, 30), options);
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
    await this.#until(options, 'the server did not become ready', () => {
      if (this.#server.process !== process) throw failed('postgres ended');
      return process.phase === 'ready';
    });
  }

  async follow(upstream: { readonly node: NodeName }, _slot: string, options: ActOptions): Promise<boolean> {
    this.#parts.onAct('follow');
    await this.#take(this.#random.between(1, 20), options);
    return this.#point(upstream.node);
  }

  /** Answers whether it pointed elsewhere. */
  #point(upstream: NodeName | null): boolean {
    const { process, disk } = this.#server;
    if (disk.upstream === upstream) return false;
    disk.upstream = upstream;
    if (process === null) return true;
    process.cannotStream = null;
    this.#server.endReceiver(process);
    this.#server.connect(process);
    return true;
  }

  async cutOff(options: ActOptions): Promise<void> {
    const { process, disk } = this.#server;
    disk.upstream = null;
    await this.#take(this.#random.skewed(2, 300), options);
    if (process === null || this.#server.process !== process) throw failed('no server runs');
    // With replay paused, the receiver would stay: its startup process looks at nothing.
    if (process.freeze === 'none' && !process.replayPaused) {
      this.#server.endReceiver(process);
      return;
    }
    this.#server.kill();
    await this.start({ role: 'standby', upstream: null, slot: '' }, options);
  }

  async setSyncStandbys(configuration: ServerConfiguration, options: ActOptions): Promise<{ mark: Lsn }> {
    const set = decodeSet(configuration);
    this.#configured = set;
    const { process } = this.#server;
    if (process === null || process.freeze !== 'none') throw failed('the server does not answer');
    let isInEffect = false;
    this.#server.reloadSync(process, set, () => {
      isInEffect = true;
    });
    await this.#until(options, 'the reload took too long', () => {
      if (this.#server.process !== process) throw failed('postgres ended');
      return isInEffect;
    });
    return { mark: lsnOf(this.#server.disk.end) };
  }

  async promote(timeline: number | null, options: ActOptions): Promise<void> {
    this.#parts.onAct('promote');
    const { process, disk, failing } = this.#server;
    if (process === null || process.phase !== 'ready' || process.freeze !== 'none')
      throw failed('no server to promote');
    if (process.role === 'primary') return;
    await this.#take(this.#random.between(1, 5), options);
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
    await this.#until(options, 'the server does not accept writes yet', () => {
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
      const { clock } = this.#parts.agent;
      const begunAtMs = clock.boottimeMs();
      while (this.#server.process === process && clock.boottimeMs() - begunAtMs < how.patienceMs) {
        await clock.sleep(pollMs, options.signal);
        if (clock.boottimeMs() - begunAtMs < walsenderGraceMs) continue;
        for (const [node, stream] of [...process.streams]) {
          if (node !== spare) stream.endAtSource();
        }
      }
    } else if (process.hasPostmaster) await this.#take(how.patienceMs, options);
    if (this.#server.process !== process) return { clean: null };
    await this.#take(this.#random.between(5, 60), options);
    if (this.#server.process === process) this.#server.kill();
    await this.#until(options, 'a process can not be ended', () => this.#server.process !== process);
    return { clean: null };
  }

  /** All of it in one piece: positions here are numbers of records, not of bytes. */
  async readWal(): Promise<WalPiece | null> {
    const { process, disk } = this.#server;
    await this.#pause(this.#random.between(0.5, 5));
    if (process !== null || disk.content !== 'cluster' || disk.isFrozen) return null;
    return { data: JSON.stringify({ timeline: disk.timeline, records: disk.records }), isEnd: true };
  }

  async hearWal(
    ask: (request: { readonly file: string; readonly offset: number }) => Promise<WalPiece | null>,
    options: ActOptions,
  ): Promise<number> {
    const piece = await ask({ file: '', offset: 0 });
    await this.#take(this.#random.skewed(300, 700), options);
    const { process, disk } = this.#server;
    if (piece === null || process === null || process.role !== 'standby' || process.freeze !== 'none') return 0;
    const heard = parseWal(piece.data);
    const isContinued = disk.records.every((record, index) => record.serial === heard.records[index]?.serial);
    if (heard.timeline !== disk.timeline || !isContinued) return 0;
    const rest = heard.records.slice(disk.end);
    this.#server.restore(process, rest);
    return rest.length;
  }

  async probeWrite(options: ActOptions): Promise<WriteProbe> {
    const { process, disk } = this.#server;
    const before = disk.flushed;
    // To a stopped server one connects, and waits.
    if (process !== null && process.freeze !== 'none') {
      await this.#pause(options.withinMs);
      return { came: disk.flushed > before ? 'advancing' : 'silent', text: 'no answer' };
    }
    const { clock } = this.#parts.agent;
    const begunAtMs = clock.boottimeMs();
    let outcome: CommitOutcome | null = null;
    const answer = (came: CommitOutcome): void => {
      outcome = came;
    };
    this.#server.execute({ row: 0, replicated: false, answer });
    const come = (): CommitOutcome | null => outcome;
    await this.#until(options, 'no answer', () => come() !== null).catch(() => undefined);
    switch (come()) {
      case 'committed':
        return { came: 'written', tookMs: clock.boottimeMs() - begunAtMs };
      case null:
        return { came: disk.flushed > before ? 'advancing' : 'silent', text: 'no answer' };
      case 'broken':
        return { came: 'refused', text: 'the connection broke' };
      default:
        return { came: 'moot', text: 'not a primary' };
    }
  }

  async checkpoint(options: ActOptions): Promise<void> {
    await this.#take(this.#random.skewed(5, 300), options);
    if (this.#server.process?.phase !== 'ready') throw failed('the server does not answer');
    this.#server.checkpointed();
    this.#server.removeOldWal();
  }

  async warm(_databases: readonly string[], options: ActOptions): Promise<void> {
    await this.#take(1, options);
  }

  async applySlots(
    targets: readonly { readonly name: string; readonly advanceTo: Lsn | null }[],
    options: ActOptions,
  ): Promise<void> {
    await this.#take(this.#random.between(1, 10), options);
    const { disk, process } = this.#server;
    if (process === null) throw failed('the server does not answer');
    const before = disk.slots;
    const active = new Set([...process.streams.values()].map(({ standby }) => standby.slot));
    disk.slots = new Map(
      targets.map(({ name, advanceTo }) => {
        const kept = before.get(name);
        if (kept === undefined) return [name, disk.flushed];
        if (kept === null || advanceTo === null || active.has(name)) return [name, kept];
        return [name, Math.max(kept, Math.min(positionOf(advanceTo), disk.flushed))];
      }),
    );
  }

  async applyDatabases(_databases: unknown, _roles: unknown, options: ActOptions): Promise<void> {
    await this.#take(this.#random.between(5, 50), options);
    if (!this.#server.isWritable) throw failed('the server does not accept writes');
  }

  async openTransactions(): Promise<readonly never[]> {
    await this.#pause(1);
    return [];
  }

  async endSessions(_pids: readonly number[], options: ActOptions): Promise<void> {
    await this.#take(1, options);
  }

  async close(): Promise<void> {}

  /** What is built has settings of others in it, or none, until ours are written. */
  #mustBeConfigured(): SyncSet {
    if (this.#configured !== null) return this.#configured;
    const because = 'configure comes before every construction';
    this.#parts.onBroken(because);
    throw new UnderstudyError('BROKEN_INVARIANT', because);
  }

  // ---- time

  async #pause(ms: number): Promise<void> {
    await this.#parts.agent.clock.sleep(ms);
  }

  async #take(ms: number, { signal, withinMs }: ActOptions): Promise<void> {
    await this.#parts.agent.clock.sleep(Math.min(ms, withinMs), signal);
    if (ms > withinMs) throw new UnderstudyError('POSTGRES_TIMEOUT', 'it took too long');
  }

  async #until(options: ActOptions, otherwise: string, isDone: () => boolean): Promise<void> {
    const { clock } = this.#parts.agent;
    const untilMs = clock.boottimeMs() + options.withinMs;
    while (!isDone()) {
      if (clock.boottimeMs() >= untilMs) throw new UnderstudyError('POSTGRES_TIMEOUT', otherwise);
      await clock.sleep(pollMs, options.signal);
    }
  }
}

/** Where pg_rewind sees the histories part: by timelines and positions alone (pg_rewind.c, findCommonAncestorTimeline). */
function commonHistory(source: FakeDisk, target: FakeDisk): number | 'diverged' {
  let common = -1;
  const isSame = (index: number): boolean => {
    const [a, b] = [source.history[index], target.history[index]];
    return a !== undefined && b !== undefined && a.timeline === b.timeline && a.at === b.at;
  };
  while (isSame(common + 1)) common += 1;
  if (common < 0) return 'diverged';
  const ends = [source, target].map(({ history, end }) => history[common + 1]?.at ?? end);
  const at = Math.min(...ends);
  // "No rewind required": it sees no fork.
  return source.timeline === target.timeline ? 'diverged' : at;
}

function parseWal(text: string): { readonly timeline: number; readonly records: readonly WalRecord[] } {
  const wal: unknown = JSON.parse(text);
  if (typeof wal !== 'object' || wal === null || !('timeline' in wal) || !('records' in wal)) throw failed('no WAL');
  const { timeline, records } = wal;
  if (typeof timeline !== 'number' || !Array.isArray(records)) throw failed('no WAL');
  return { timeline, records: records.filter(isWalRecord) };
}

function isWalRecord(value: unknown): value is WalRecord {
  return typeof value === 'object' && value !== null && 'row' in value && 'serial' in value;
}

function failed(because: string): UnderstudyError {
  return new UnderstudyError('POSTGRES_FAILED', because);
}

function peersOf(server: FakeServer, process: ServerProcess): readonly ReplicationPeer[] {
  return [...process.streams].map(([name, stream]) => ({
    name,
    pid: 1,
    state: 'streaming',
    sentLsn: lsnOf(server.disk.flushed),
    flushLsn: lsnOf(stream.flushed),
    replayLsn: lsnOf(stream.flushed),
    replyAgeMs: server.time.nowMs - stream.repliedAtMs,
  }));
}

function slotStates({ disk, process }: FakeServer): readonly SlotState[] {
  const active = new Set([...(process?.streams.values() ?? [])].map(({ standby }) => standby.slot));
  return [...disk.slots].map(([name, position]) => ({
    name,
    active: active.has(name),
    restartLsn: position === null ? null : lsnOf(position),
    walStatus: position === null ? 'lost' : 'reserved',
  }));
}
