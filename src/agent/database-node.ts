/**
 * A database node's agent, put together from its ports: the loop, what it sees, what it does, whom it tells. Knows no
 * real adapter; main.ts and the tests bring those.
 */
import type { ClusterView, FinishedJob, LocalPostgres, Requests } from '../core/cluster-view.ts';
import type { Decision } from '../core/decision.ts';
import type { SyncSet } from '../core/durability.ts';
import { type KeptWalLimits, keptWalLimits } from '../core/kept-wal.ts';
import type { DatabaseMemory, Outcome } from '../core/memory.ts';
import { inOneLine } from '../core/one-line.ts';
import { isUnderWay } from '../core/operation.ts';
import type { Instant, PromiseRecord } from '../core/promise.ts';
import { lostLease } from '../core/rules/lost-lease.ts';
import { concerns } from '../core/rules/switchover.ts';
import { startingSet } from '../core/rules/sync-standbys.ts';
import { findNode, hostName, type NodeName, type Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Fence } from '../ports/fence.ts';
import type { Postgres, ServerConfiguration, Upstream } from '../ports/postgres.ts';
import type { PromiseFile } from '../ports/promise-file.ts';
import type { Store } from '../ports/store.ts';
import { EventWriter } from './event-writer.ts';
import { perform } from './execute.ts';
import type { ActionLog, ExecutionContext } from './execution-context.ts';
import { Jobs } from './jobs.ts';
import { runLoop } from './loop.ts';
import { ReceivedReports } from './pooler-reports.ts';
import { StoreMirror } from './store-mirror.ts';
import { Wakeup } from './wakeup.ts';
import { WriteProbing } from './write-probing.ts';

export interface DatabaseNodeParts {
  readonly node: NodeName;
  readonly version: string;
  readonly clock: Clock;
  readonly store: Store;
  readonly postgres: Postgres;
  readonly log: ActionLog;
  /** `floor`: what a standby must have at least (see core/rules/settings.ts). */
  readonly configuration: (spec: Spec, floor: Readonly<Record<string, number>>, sync: SyncSet) => ServerConfiguration;
  readonly fence: Fence;
  readonly promises: PromiseFile;
  readonly askPromise: ExecutionContext['askPromise'];
  readonly checkpointOn: ExecutionContext['checkpointOn'];
  /** Left out: the usual ones. */
  readonly keptWal?: KeptWalLimits;
  readonly askWal: ExecutionContext['askWal'];
  /** The kernel's name for this boot. */
  readonly bootId: string;
  readonly diskFreeBytes: () => Promise<number | null>;
}

export interface Latest {
  readonly view: ClusterView;
  readonly memory: DatabaseMemory;
  readonly decision: Decision<DatabaseMemory>;
  readonly at: Date;
}

/** A hung server must not cost a renewal. */
const observeWithinMs = 700;
const diskEveryMs = 2_000;
const storeReportsEveryMs = 1_000;
const sameFailureEveryMs = 60_000;

export class DatabaseNode {
  readonly clock: Clock;
  readonly postgres: Postgres;
  readonly mirror: StoreMirror;
  readonly reports: ReceivedReports;
  readonly signal: AbortSignal;
  readonly node: NodeName;
  readonly version: string;
  readonly #parts: DatabaseNodeParts;
  readonly #ended = new AbortController();
  readonly #wakeup = new Wakeup();
  readonly #jobs: Jobs;
  readonly #probing: WriteProbing;
  readonly #events: EventWriter;
  readonly #listeners = new Set<() => void>();
  readonly #achieved: Outcome[] = [];
  readonly #toldFailures = new Map<string, number>();
  #requests: Requests = { driving: null, cancelOperation: null, reinit: false, restart: false };
  #promise: PromiseRecord;
  #binding: Promise<unknown> = Promise.resolve();
  /** What was last set on this server while it was primary. */
  #ownSync: SyncSet | null = null;
  #latest: Latest | null = null;
  #disk: { readonly bytes: number | null; readonly atMs: number } | null = null;
  #reportsStoredAtMs = 0;
  #storingReports: Promise<void> | null = null;
  #loop: Promise<void> | null = null;

  constructor(parts: DatabaseNodeParts) {
    this.#parts = parts;
    this.#promise = parts.promises.read();
    this.node = parts.node;
    this.version = parts.version;
    this.clock = parts.clock;
    this.postgres = parts.postgres;
    this.signal = this.#ended.signal;
    this.reports = new ReceivedReports(parts.clock);
    this.mirror = new StoreMirror(parts.store, parts.clock, (isMaterial) => this.#storeChanged(isMaterial));
    this.#jobs = new Jobs(parts.clock, (job) => this.#jobEnded(job));
    this.#probing = new WriteProbing({
      postgres: parts.postgres,
      clock: parts.clock,
      signal: this.signal,
      onNews: () => this.#wakeup.wake(),
    });
    this.#events = new EventWriter({
      self: parts.node,
      mirror: this.mirror,
      clock: parts.clock,
      log: parts.log,
      signal: this.signal,
      isBusy: () => this.#isMoving(),
    });
  }

  get latest(): Latest | null {
    return this.#latest;
  }

  /** The newest view: the last look at PostgreSQL with the store as it is now. */
  get freshView(): { readonly view: ClusterView; readonly memory: DatabaseMemory } | null {
    if (this.#latest === null) return null;
    const { view, decision } = this.#latest;
    const now = {
      ...view,
      nowMs: this.clock.boottimeMs(),
      store: this.mirror.view,
      reports: this.reports.all,
      job: this.#jobs.running,
    };
    return { view: now, memory: decision.memory };
  }

  start(onEnd: (error: unknown) => void): void {
    this.mirror.follow();
    this.emit('agent.started', { version: this.version, node: this.node });
    this.#loop = runLoop(
      {
        clock: this.clock,
        wakeup: this.#wakeup,
        observe: () => this.#observe(),
        perform: (action, view) => perform(this.#context, action, view),
        achieved: () => this.#achieved.splice(0),
        onDecision: (view, decision) => this.#decided(view, decision),
      },
      this.signal,
    ).catch(onEnd);
  }

  /** Ends the agent's part. PostgreSQL goes on: it outlives its agent. */
  async stop(): Promise<void> {
    this.#ended.abort();
    this.#wakeup.wake();
    await this.#jobs.close();
    await this.#loop;
    await this.#probing.close();
    await this.#events.close();
    await this.#storingReports;
    await this.mirror.close();
  }

  /** A pooler said something new: of use to whoever acts on it now. */
  reported(): void {
    const operation = this.mirror.image.operation?.value;
    if (operation === undefined || concerns(operation, this.node)) this.#wakeup.wake();
  }

  request(change: Partial<Requests>): void {
    this.#requests = { ...this.#requests, ...change };
    this.#wakeup.wake();
  }

  get requests(): Requests {
    return this.#requests;
  }

  /** One change after another: a cut and a promise must each see what the other has made of the record. */
  bind(change: (record: PromiseRecord, now: Instant) => PromiseRecord | null): Promise<PromiseRecord | null> {
    const bound = this.#binding.then(async () => {
      const next = change(this.#promise, { nowMs: this.clock.boottimeMs(), bootId: this.#parts.bootId });
      if (next === null) return null;
      await this.#parts.promises.write(next);
      this.#promise = next;
      return next;
    });
    this.#binding = bound.catch(() => null);
    return bound;
  }

  emit: ExecutionContext['emit'] = (name, facts) => this.#events.emit(name, facts);

  /** Calls back whenever something changed that others may want to know. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  spec(): Spec {
    const record = this.mirror.image.spec;
    if (record === null)
      throw new UnderstudyError('NOT_FOUND', 'there is no spec in the store yet', {
        hint: 'understudy apply FILE stores one',
      });
    return record.value.spec;
  }

  /** What is known before the first look. */
  blankView(): ClusterView {
    return this.#viewWith({ state: 'unknown', because: 'not looked at yet', pid: null }, null);
  }

  async #observe(): Promise<ClusterView> {
    const [postgres, diskFreeBytes] = await Promise.all([this.#observePostgres(), this.#diskFree()]);
    this.#probing.tick(postgres, this.#isMoving() || this.#jobs.running !== null);
    return this.#viewWith(postgres, diskFreeBytes);
  }

  async #observePostgres(): Promise<LocalPostgres> {
    const before = this.#latest?.view.postgres;
    // A server on its way down refuses to be asked, and asking would take time from its end.
    if (this.#jobs.running?.kind === 'stop' && before !== undefined && 'pid' in before && before.pid !== null) {
      return { state: 'stopping', pid: before.pid };
    }
    return await this.postgres.observe(observeWithinMs, this.#isMoving() ? 'brief' : 'whole');
  }

  #viewWith(postgres: LocalPostgres, diskFreeBytes: number | null): ClusterView {
    return {
      self: this.node,
      nowMs: this.clock.boottimeMs(),
      store: this.mirror.view,
      postgres,
      promise: this.#promise,
      bootId: this.#parts.bootId,
      job: this.#jobs.running,
      lastJobs: this.#jobs.last,
      reports: this.reports.all,
      requests: this.#requests,
      diskFreeBytes,
      probe: this.#probing.last,
      agentVersion: this.version,
    };
  }

  async #diskFree(): Promise<number | null> {
    const now = this.clock.boottimeMs();
    if (this.#disk === null || now - this.#disk.atMs >= diskEveryMs) {
      this.#disk = { bytes: await this.#parts.diskFreeBytes(), atMs: now };
    }
    return this.#disk.bytes;
  }

  #decided(view: ClusterView, decision: Decision<DatabaseMemory>): void {
    const memory = decision.memory;
    const crashedAtMs = memory.crashes.at.at(-1);
    if (crashedAtMs !== undefined && crashedAtMs !== this.#latest?.memory.crashes.at.at(-1)) {
      this.emit('postgres.crashed', { node: this.node });
    }
    const lost = this.#latest === null ? null : lostLease(this.#latest.view, view);
    if (lost !== null) this.emit('lease.lost', { node: this.node, ...lost });
    this.#latest = { view, memory, decision, at: this.clock.wallClock() };
    this.#notify();
    const now = this.clock.boottimeMs();
    const holds = view.store.lease?.value.state === 'held' && view.store.lease.value.holder === this.node;
    if (
      !holds ||
      this.#isMoving() ||
      this.#storingReports !== null ||
      now - this.#reportsStoredAtMs < storeReportsEveryMs
    )
      return;
    this.#reportsStoredAtMs = now;
    this.#storingReports = this.reports
      .store(this.mirror, this.signal)
      .catch(() => undefined) // the next second brings newer ones
      .finally(() => {
        this.#storingReports = null;
      });
  }

  #isMoving(): boolean {
    const operation = this.mirror.image.operation?.value;
    return operation !== undefined && isUnderWay(operation, this.mirror.image.lease?.value ?? null);
  }

  #storeChanged(isMaterial: boolean): void {
    const operation = this.mirror.image.operation?.value;
    if (isMaterial && (operation === undefined || concerns(operation, this.node))) this.#wakeup.wake();
    this.#notify();
  }

  #jobEnded(job: FinishedJob): void {
    if (job.error !== null) this.#failed(job.kind, job.error);
    this.#wakeup.wake();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #failed(what: string, because: string): void {
    // Times and process ids differ from one failure to the next like it.
    const key = `${what} ${because.replace(/\d+/g, '')}`;
    const now = this.clock.boottimeMs();
    if (now - (this.#toldFailures.get(key) ?? Number.NEGATIVE_INFINITY) < sameFailureEveryMs) return;
    if (this.#toldFailures.size > 100) this.#toldFailures.clear();
    this.#toldFailures.set(key, now);
    this.emit('action.failed', { node: this.node, action: what, because: inOneLine(because) });
  }

  get #floor(): Readonly<Record<string, number>> {
    const lease = this.mirror.image.lease?.value;
    if (lease?.state !== 'held') return {};
    if (lease.holder === this.node) {
      // Until it is primary it runs with what its last primary had; lowering that would only wait for a restart.
      const own = this.#latest?.view.postgres;
      return own?.state === 'standby' ? own.standbyMinimums : {};
    }
    return this.mirror.image.members.get(lease.holder)?.value.standbyMinimums ?? {};
  }

  #configuration(spec: Spec, sync?: SyncSet): ServerConfiguration {
    const lease = this.mirror.image.lease?.value;
    const isHolder = lease?.state === 'held' && lease.holder === this.node;
    if (sync !== undefined) this.#ownSync = sync;
    else if (!isHolder) this.#ownSync = null;
    // Also on a standby: from its first instant as primary nothing may be acknowledged that others don't have.
    const initial = startingSet(this.node, spec, this.mirror.image.durability?.value ?? null);
    return this.#parts.configuration(spec, this.#floor, this.#ownSync ?? initial);
  }

  #upstream(node: NodeName): Upstream {
    const spec = this.spec();
    const found = findNode(spec, node);
    if (found === undefined) throw new UnderstudyError('NOT_FOUND', `the spec names no node ${node}`);
    return { node, hostName: hostName(spec, node), address: found.address, port: spec.postgres.port };
  }

  get #context(): ExecutionContext {
    return {
      self: this.node,
      clock: this.clock,
      mirror: this.mirror,
      postgres: this.postgres,
      fence: this.#parts.fence,
      jobs: this.#jobs,
      log: this.#parts.log,
      signal: this.signal,
      upstream: (node) => this.#upstream(node),
      configuration: (spec, sync) => this.#configuration(spec, sync),
      bind: (change) => this.bind(change),
      askPromise: this.#parts.askPromise,
      checkpointOn: this.#parts.checkpointOn,
      keptWal: this.#parts.keptWal ?? keptWalLimits,
      askWal: this.#parts.askWal,
      spec: () => this.spec(),
      emit: this.emit,
      failed: (what, because) => this.#failed(what, because),
      achieved: (outcome) => this.#achieved.push(outcome),
      requestServed: (request) => this.request({ [request]: false }),
    };
  }
}
