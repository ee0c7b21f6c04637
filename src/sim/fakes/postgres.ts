/**
 * The PostgreSQL port over a simulated server, as one agent's process sees it: acts take time, fail, and end with their
 * agent. It puts together what construction.ts, server-control.ts and observation.ts do, and holds the set of standbys
 * that the agent last asked for.
 *
 * What it owes the port: observation never hangs, and acts end at their deadline or by their signal.
 */

import type { ApplicationRole } from '../../core/application-roles.ts';
import type { DatabaseState } from '../../core/applied.ts';
import type { Heartbeat } from '../../core/backups/heartbeats.ts';
import type { SyncSet } from '../../core/durability.ts';
import type { WalPiece, WalRequest } from '../../core/last-words.ts';
import type { LocalPostgres } from '../../core/local-postgres.ts';
import type { LostReport } from '../../core/lost-report.ts';
import type { Lsn } from '../../core/lsn.ts';
import type { LoginFacts } from '../../core/rules/credentials.ts';
import type { NodeName } from '../../core/spec.ts';
import type { WriteProbe } from '../../core/write-probe.ts';
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { ActOptions, Dropped, Postgres, Rescued, ServerConfiguration, StartAs } from '../../ports/postgres.ts';
import type { SimulatedProcess } from '../world/host.ts';
import type { Network } from '../world/network.ts';
import type { Random } from '../world/random.ts';
import { ActTime, failed } from './act.ts';
import { Construction } from './construction.ts';
import { lsnOf, positionOf } from './disk.ts';
import type { FakeFence } from './fence.ts';
import type { FakeLogins } from './logins.ts';
import { viewOf } from './observation.ts';
import type { FakeServer } from './server.ts';
import { ServerControl } from './server-control.ts';
import { decodeSet, encodeSet } from './sync-set-text.ts';
import { hearWal, readWal } from './wal-hearing.ts';
import { probeWrite } from './write-probe.ts';

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
  readonly logins: FakeLogins;
}

export class FakePostgres implements Postgres {
  readonly #parts: FakePostgresParts;
  readonly #server: FakeServer;
  readonly #random: Random;
  readonly #time: ActTime;
  readonly #construction: Construction;
  readonly #control: ServerControl;
  #configured: SyncSet | null = null;

  constructor(parts: FakePostgresParts) {
    this.#parts = parts;
    this.#server = parts.server;
    this.#random = parts.random;
    this.#time = new ActTime(parts.agent.clock);
    this.#construction = new Construction(parts, this.#time, () => this.#mustBeConfigured());
    this.#control = new ServerControl(parts, this.#time, () => this.#configured);
  }

  async observe(withinMs: number): Promise<LocalPostgres> {
    const { process } = this.#server;
    if (process !== null && process.freeze !== 'none') {
      const isSeen = process.freeze === 'postmaster';
      await this.#time.pause(isSeen ? 1 : withinMs);
      return { state: 'unknown', because: 'the server does not answer', pid: process.pid };
    }
    await this.#time.pause(this.#random.between(0.5, 4));
    return viewOf(this.#server, this.#parts.major);
  }

  initialise(options: ActOptions): Promise<{ systemIdentifier: string }> {
    return this.#construction.initialise(options);
  }

  clone(...args: Parameters<Construction['clone']>): Promise<void> {
    return this.#construction.clone(...args);
  }

  rescue(...args: Parameters<Construction['rescue']>): Promise<Rescued> {
    return this.#construction.rescue(...args);
  }

  rewind(...args: Parameters<Construction['rewind']>): Promise<void> {
    return this.#construction.rewind(...args);
  }

  start(as: StartAs, options: ActOptions): Promise<void> {
    return this.#control.start(as, options);
  }

  follow(...args: Parameters<ServerControl['follow']>): Promise<boolean> {
    return this.#control.follow(...args);
  }

  cutOff(options: ActOptions): Promise<void> {
    return this.#control.cutOff(options);
  }

  promote(timeline: number | null, options: ActOptions): Promise<void> {
    return this.#control.promote(timeline, options);
  }

  heartbeat(): Promise<Heartbeat> {
    return Promise.reject(new UnderstudyError('BROKEN_INVARIANT', 'nothing is archived here'));
  }

  /** Nothing is archived here. */
  async archiveReceived(): Promise<number> {
    return 0;
  }

  stop(...args: Parameters<ServerControl['stop']>): Promise<{ clean: null }> {
    return this.#control.stop(...args);
  }

  async lostReports(): Promise<readonly LostReport[]> {
    return [];
  }

  async discardKept(options: ActOptions): Promise<void> {
    await this.#time.take(1, options);
  }

  async obeyRevocations(): Promise<void> {}

  async renewCertificate(): Promise<void> {}

  async configure(configuration: ServerConfiguration, options: ActOptions): Promise<boolean> {
    const set = decodeSet(configuration);
    this.#configured = set;
    await this.#time.take(this.#random.between(0.5, 3), options);
    const { process, disk } = this.#server;
    if (disk.content !== 'cluster') return false;
    if (encodeSet(disk.syncFile) === encodeSet(set)) return false;
    disk.syncFile = set;
    if (process !== null && process.phase === 'ready') this.#server.commits.reloadSync(process, set, () => undefined);
    return true;
  }

  async setSyncStandbys(configuration: ServerConfiguration, options: ActOptions): Promise<{ mark: Lsn }> {
    const set = decodeSet(configuration);
    this.#configured = set;
    const { process } = this.#server;
    if (process === null || process.freeze !== 'none') throw failed('the server does not answer');
    let isInEffect = false;
    this.#server.commits.reloadSync(process, set, () => {
      isInEffect = true;
    });
    await this.#time.until(options, 'the reload took too long', () => {
      if (this.#server.process !== process) throw failed('postgres ended');
      return isInEffect;
    });
    return { mark: lsnOf(this.#server.disk.end) };
  }

  async readWal(): Promise<WalPiece | null> {
    await this.#time.pause(this.#random.between(0.5, 5));
    return readWal(this.#server);
  }

  async hearWal(ask: (request: WalRequest) => Promise<WalPiece | null>, options: ActOptions): Promise<number> {
    const piece = await ask({ file: '', offset: 0 });
    await this.#time.take(this.#random.skewed(300, 700), options);
    return hearWal(this.#server, piece);
  }

  probeWrite(options: ActOptions): Promise<WriteProbe> {
    return probeWrite(this.#server, this.#time, options);
  }

  async checkpoint(options: ActOptions): Promise<void> {
    await this.#time.take(this.#random.skewed(5, 300), options);
    if (this.#server.process?.phase !== 'ready') throw failed('the server does not answer');
    this.#server.disk.checkpointed();
    this.#server.disk.removeOldWal();
  }

  async warm(_databases: readonly string[], options: ActOptions): Promise<void> {
    await this.#time.take(1, options);
  }

  async applySlots(
    targets: readonly { readonly name: string; readonly advanceTo: Lsn | null }[],
    options: ActOptions,
  ): Promise<void> {
    await this.#time.take(this.#random.between(1, 10), options);
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

  async applyDatabases(_databases: unknown, roles: readonly ApplicationRole[], options: ActOptions): Promise<void> {
    await this.#write(this.#random.between(5, 50), options);
    this.#parts.logins.declare(roles.flatMap(({ logins }) => logins));
  }

  async logins(options: ActOptions): Promise<readonly LoginFacts[]> {
    await this.#time.take(1, options);
    return this.#parts.logins.all;
  }

  async openLogin(role: string, verifier: string, options: ActOptions): Promise<Lsn> {
    await this.#write(this.#random.between(1, 20), options);
    this.#parts.logins.open(role, verifier);
    return lsnOf(this.#server.disk.end);
  }

  /** See logins.ts: there is one catalogue for all. */
  async lacking(): Promise<readonly string[]> {
    return [];
  }

  async closeLogin(role: string, options: ActOptions): Promise<void> {
    await this.#write(2, options);
    this.#parts.logins.close(role);
  }

  async #write(ms: number, options: ActOptions): Promise<void> {
    await this.#time.take(ms, options);
    if (!this.#server.isWritable) throw failed('the server does not accept writes');
  }

  async databaseState(): Promise<DatabaseState> {
    await this.#time.pause(1);
    return { drift: [], retired: [], leftovers: [], found: [], troubles: [] };
  }

  async dropDatabase(_name: string, _databases: unknown, _roles: unknown, options: ActOptions): Promise<Dropped> {
    await this.#time.take(1, options);
    return { roles: [], kept: [] };
  }

  async openTransactions(): Promise<readonly never[]> {
    await this.#time.pause(1);
    return [];
  }

  async endSessions(_pids: readonly number[], options: ActOptions): Promise<void> {
    await this.#time.take(1, options);
  }

  async endRetiredSessions(options: ActOptions): Promise<void> {
    await this.#time.take(1, options);
  }

  async close(): Promise<void> {}

  /** What is built has settings of others in it, or none, until ours are written. */
  #mustBeConfigured(): SyncSet {
    if (this.#configured !== null) return this.#configured;
    const because = 'configure comes before every construction';
    this.#parts.onBroken(because);
    throw new UnderstudyError('BROKEN_INVARIANT', because);
  }
}
