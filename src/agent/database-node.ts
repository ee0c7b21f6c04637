/**
 * A database node's agent, put together from its ports: the loop, what it sees, what it does, whom it tells. Knows no
 * real adapter; src/composition and the tests bring those.
 */
import { setMaxListeners } from 'node:events';
import type { ClusterView, FinishedJob, Requests } from '../core/cluster-view.ts';
import type { Decision } from '../core/decision.ts';
import { keptWalLimits } from '../core/kept-wal.ts';
import type { DatabaseMemory, Outcome } from '../core/memory.ts';
import { inOneLine } from '../core/one-line.ts';
import { isUnderWay } from '../core/operation.ts';
import { lostLease } from '../core/rules/lost-lease.ts';
import { concerns } from '../core/rules/switchover.ts';
import { isHolder } from '../core/situation.ts';
import type { NodeName, Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres, Upstream } from '../ports/postgres.ts';
import type { DatabaseNodeParts } from './database-node-parts.ts';
import { EventWriter } from './event-writer.ts';
import { perform } from './execute.ts';
import type { ExecutionContext } from './execution-context.ts';
import { FreeDisk } from './free-disk.ts';
import { Jobs } from './jobs.ts';
import { LocalConfiguration } from './local-configuration.ts';
import { Lookout } from './lookout.ts';
import { runLoop } from './loop.ts';
import { whereaboutsOf } from './peers.ts';
import { PendingCredentials } from './pending-credentials.ts';
import { ReceivedReports } from './pooler-reports.ts';
import { PromiseBinding } from './promise-binding.ts';
import { StoreMirror } from './store-mirror.ts';
import { ToldFailures } from './told-failures.ts';
import { Wakeup } from './wakeup.ts';
import { WriteProbing } from './write-probing.ts';

export interface Latest {
  readonly view: ClusterView;
  readonly memory: DatabaseMemory;
  readonly decision: Decision<DatabaseMemory>;
  readonly at: Date;
}

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
  readonly #binding: PromiseBinding;
  readonly #lookout: Lookout;
  readonly #told: ToldFailures;
  readonly #settings: LocalConfiguration;
  readonly #pending = new PendingCredentials();
  readonly #listeners = new Set<() => void>();
  readonly #achieved: Outcome[] = [];
  #requests: Requests = { driving: null, cancelOperation: null, reinit: false, restart: false, restartPrimary: false };
  #latest: Latest | null = null;
  #loop: Promise<void> | null = null;

  constructor(parts: DatabaseNodeParts) {
    this.#parts = parts;
    this.#binding = new PromiseBinding(parts.promises, () => ({
      nowMs: parts.clock.boottimeMs(),
      bootId: parts.bootId,
    }));
    this.node = parts.node;
    this.version = parts.version;
    this.clock = parts.clock;
    this.postgres = parts.postgres;
    this.signal = this.#ended.signal;
    // Each of its chores waits for it.
    setMaxListeners(0, this.signal);
    this.reports = new ReceivedReports(parts.clock);
    this.mirror = new StoreMirror(parts.store, parts.clock, (isMaterial) => this.#storeChanged(isMaterial));
    this.#told = new ToldFailures(parts.clock);
    const server = () => this.#latest?.view.postgres ?? null;
    this.#settings = new LocalConfiguration({
      self: parts.node,
      mirror: this.mirror,
      server,
      configuration: parts.configuration,
    });
    this.#jobs = new Jobs(parts.clock, (job) => this.#jobEnded(job));
    this.#probing = new WriteProbing({
      postgres: parts.postgres,
      clock: parts.clock,
      signal: this.signal,
      onNews: () => this.#wakeup.wake(),
    });
    this.#lookout = new Lookout({
      node: parts.node,
      version: parts.version,
      bootId: parts.bootId,
      clock: parts.clock,
      postgres: parts.postgres,
      mirror: this.mirror,
      reports: this.reports,
      binding: this.#binding,
      jobs: this.#jobs,
      probing: this.#probing,
      disk: new FreeDisk(parts.clock, parts.diskFreeBytes),
      requests: () => this.#requests,
      before: server,
      isMoving: () => this.isMoving(),
    });
    this.#events = new EventWriter({
      self: parts.node,
      mirror: this.mirror,
      clock: parts.clock,
      log: parts.log,
      signal: this.signal,
      isBusy: () => this.isMoving(),
    });
  }

  get latest(): Latest | null {
    return this.#latest;
  }

  /** The newest view: the last look at PostgreSQL with the store as it is now. */
  get freshView(): { readonly view: ClusterView; readonly memory: DatabaseMemory } | null {
    if (this.#latest === null) return null;
    const { view, decision } = this.#latest;
    return { view: this.#lookout.refresh(view), memory: decision.memory };
  }

  start(onEnd: (error: unknown) => void): void {
    this.mirror.follow();
    this.emit('agent.started', { version: this.version, node: this.node });
    this.#loop = runLoop(
      {
        clock: this.clock,
        wakeup: this.#wakeup,
        observe: () => this.#lookout.observe(),
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
    await this.reports.storing;
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

  /** See ExecutionContext. */
  bind: ExecutionContext['bind'] = (change) => this.#binding.change(change);

  emit: ExecutionContext['emit'] = (name, facts) => {
    this.#parts.heard?.(name, facts);
    this.#events.emit(name, facts);
  };

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
    return this.#lookout.blank();
  }

  #decided(view: ClusterView, decision: Decision<DatabaseMemory>): void {
    const memory = decision.memory;
    const crashedAtMs = memory.crashes.at.at(-1);
    if (crashedAtMs !== undefined && crashedAtMs !== this.#latest?.memory.crashes.at.at(-1)) {
      this.emit('postgres.crashed', { node: this.node });
    }
    const lost = this.#latest === null ? null : lostLease(this.#latest.view, view);
    if (lost !== null) {
      // Whoever asked meant the primary that it was, and is not surprised by a stop of a later one.
      this.request({ restartPrimary: false });
      this.emit('lease.lost', { node: this.node, ...lost });
    }
    this.#latest = { view, memory, decision, at: this.clock.wallClock() };
    this.#notify();
    if (isHolder(view) && !this.isMoving()) this.reports.storeWhenDue(this.mirror, this.signal);
  }

  /** Is a switchover under way? */
  isMoving(): boolean {
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
    if (!this.#told.isNews(what, because)) return;
    this.emit('action.failed', { node: this.node, action: what, because: inOneLine(because) });
  }

  #upstream(node: NodeName): Upstream {
    const spec = this.spec();
    return { ...whereaboutsOf(spec, node), port: spec.postgres.port };
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
      configuration: (spec, sync) => this.#settings.of(spec, sync),
      restoreCommand: this.#parts.restoreCommand,
      bases: () => this.#parts.bases?.() ?? null,
      bind: this.bind,
      askPromise: this.#parts.askPromise,
      checkpointOn: this.#parts.checkpointOn,
      credentials: this.#parts.credentials,
      pending: this.#pending,
      keptWal: this.#parts.keptWal ?? keptWalLimits,
      askWal: this.#parts.askWal,
      spec: () => this.spec(),
      emit: this.emit,
      failed: (what, because) => this.#failed(what, because),
      achieved: (outcome) => this.#achieved.push(outcome),
      requestServed: (request) =>
        this.request({ [request]: false, ...(request === 'reinit' ? { reinitFrom: undefined } : {}) }),
    };
  }
}
