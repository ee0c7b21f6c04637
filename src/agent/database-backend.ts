/**
 * What a database node's agent answers over its API. Reads come from the newest view; requests are passed to the loop;
 * a switchover is passed on to the holder of the lease when that is another node.
 */
import { createHash } from 'node:crypto';
import type {
  Accepted,
  AgentBackend,
  ApplyRequest,
  DoctorFinding,
  FailoverAnswer,
  FailoverRequest,
  HandsOffRequest,
  Preflight,
  ReadOnlyRequest,
  SpecAnswer,
  SwitchoverAnswer,
  SwitchoverRequest,
  TopologyMessage,
  WhyAnswer,
} from '../api/contract.ts';
import type { MemberStatus, PoolerReport } from '../core/cluster-view.ts';
import { candidatesNow } from '../core/forecast.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import { emptyMemory } from '../core/memory.ts';
import type { Operation } from '../core/operation.ts';
import { answerOf, type PromiseAnswer, type PromiseRequest, promiseTo } from '../core/promise.ts';
import { lastHeardMs, reachOf } from '../core/reach.ts';
import type { Receipt } from '../core/receipt.ts';
import { findNode, type NodeName, type Spec } from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import { summarise } from '../core/status-summary.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { EventRecord } from '../events/catalogue.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { DatabaseNode } from './database-node.ts';
import { orderFailover } from './failover-order.ts';
import { orderHandsOff } from './hands-off-order.ts';
import { orderReadOnly } from './read-only-order.ts';
import { checkpointWithinMs, startSwitchover } from './switchover-start.ts';
import { appNodeConfiguration, buildTopology, topologyKey } from './topology.ts';

/** Another database node's agent, as far as this one asks it for something. */
export interface PeerAgent {
  switchover(request: SwitchoverRequest, onBehalfOf: string, signal: AbortSignal): Promise<SwitchoverAnswer>;
  cancel(operation: string, onBehalfOf: string): Promise<Accepted>;
  checkpoint(signal: AbortSignal): Promise<void>;
}

export interface BackendParts {
  readonly cluster: string;
  readonly agent: DatabaseNode;
  readonly peer: (node: NodeName) => PeerAgent;
  readonly doctor: () => Promise<readonly DoctorFinding[]>;
  /** What the declaration's rules have against a spec that did not come through the command line; empty: nothing. */
  readonly disagreements: (spec: Spec) => Promise<readonly string[]>;
}

const writeWithinMs = 2_000;
/** Each may list a thousand transactions; an answer has its limit. */
const lostReportsAnswered = 20;
const handsAreOff = 'hands are off: `understudy hands-off --off` first';

export class DatabaseBackend implements AgentBackend {
  readonly cluster: string;
  readonly node: NodeName;
  readonly doctor: () => Promise<readonly DoctorFinding[]>;
  readonly #agent: DatabaseNode;
  readonly #peer: BackendParts['peer'];
  readonly #disagreements: BackendParts['disagreements'];
  #starting = false;

  constructor(parts: BackendParts) {
    this.cluster = parts.cluster;
    this.node = parts.agent.node;
    this.doctor = parts.doctor;
    this.#agent = parts.agent;
    this.#peer = parts.peer;
    this.#disagreements = parts.disagreements;
  }

  identify(name: NodeName) {
    const spec = this.#agent.mirror.image.spec?.value.spec;
    return spec === undefined ? 'unknown' : (findNode(spec, name)?.role ?? 'unknown');
  }

  health() {
    const view = this.#agent.mirror.view;
    const storeAgeMs =
      view.confirmedAtMs === null ? null : Math.round(this.#agent.clock.boottimeMs() - view.confirmedAtMs);
    return { node: this.node, version: this.#agent.version, term: view.lease?.value.term ?? 0, storeAgeMs };
  }

  status(): ClusterStatus {
    const { view, memory } = this.#fresh();
    const status = summarise(view, lastHeardMs(view, memory), memory.handsOff?.sinceMs);
    return {
      ...status,
      cluster: status.cluster === '' ? this.cluster : status.cluster,
      lastReceipt: this.#agent.mirror.image.receipts.at(-1)?.id ?? null,
    };
  }

  why(): WhyAnswer {
    const latest = this.#agent.latest;
    if (latest === null) throw new UnderstudyError('NOT_FOUND', 'this agent has not made its first decision yet');
    const { decision, view } = latest;
    const trouble = this.#agent.mirror.trouble;
    return {
      node: this.node,
      at: latest.at.toISOString(),
      inputDigest: digest({
        ...view,
        store: { ...view.store, members: [...view.store.members], poolers: [...view.store.poolers] },
        reports: [...view.reports],
        lastJobs: [...view.lastJobs],
      }),
      reasons:
        trouble === null ? decision.reasons : [{ code: 'store-unreachable', text: trouble }, ...decision.reasons],
      refused: decision.refused,
      candidates: this.#candidates(),
      actions: decision.actions.map((action) => ({ do: action.do, because: action.because })),
    };
  }

  #candidates() {
    const { view, memory } = this.#fresh();
    return candidatesNow(view, memory, reachOf(view, lastHeardMs(view, memory)));
  }

  spec(): SpecAnswer {
    this.#agent.spec();
    const record = this.#agent.mirror.image.spec;
    if (record === null) throw new UnderstudyError('NOT_FOUND', 'there is no spec in the store yet');
    return record.value;
  }

  async apply(request: ApplyRequest, by: string): Promise<{ revision: number }> {
    const stored = this.#agent.mirror.image.spec;
    const current = stored?.value.revision ?? 0;
    if (request.spec.cluster !== this.cluster) {
      throw new UnderstudyError(
        'REFUSED',
        `this agent belongs to cluster ${this.cluster}, the spec is for ${request.spec.cluster}`,
      );
    }
    if (request.baseRevision !== current) {
      throw new UnderstudyError(
        'CONFLICT',
        `the spec is at revision ${current}, the change was planned against ${request.baseRevision}`,
      );
    }
    if (this.#agent.mirror.image.handsOff !== null) throw new UnderstudyError('REFUSED', handsAreOff);
    const [first, ...more] = await this.#disagreements(request.spec);
    if (first !== undefined) throw new UnderstudyError('REQUEST_INVALID', [first, ...more].join('; '));
    const revision = current + 1;
    const appliedAt = this.#agent.clock.wallClock().toISOString();
    const value = encodeRecord('spec', { revision, spec: request.spec, appliedAt, appliedBy: by });
    const result = await this.#agent.mirror.transact(
      [{ key: keys.spec, revision: stored?.revision ?? 'absent' }],
      [{ key: keys.spec, value }],
      { withinMs: writeWithinMs, signal: this.#agent.signal },
    );
    if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else applied a spec at the same time');
    this.#agent.emit('spec.applied', { revision, by });
    return { revision };
  }

  events(after: number): readonly EventRecord[] {
    return this.#agent.mirror.image.events.filter((event) => event.sequence > after);
  }

  onEvent(listener: (event: EventRecord) => void): () => void {
    let told = this.#agent.mirror.image.events.at(-1)?.sequence ?? 0;
    return this.#agent.onChange(() => {
      for (const event of this.events(told)) {
        told = event.sequence;
        listener(event);
      }
    });
  }

  topologyMessage(forNode: NodeName | null): TopologyMessage {
    const { view, memory } = this.#agent.freshView ?? { view: this.#agent.blankView(), memory: emptyMemory(0) };
    const topology = buildTopology(view, memory);
    const record = view.store.spec?.value;
    if (forNode === null || record === undefined) return { topology };
    const configuration = appNodeConfiguration(record.spec, record.revision, forNode);
    return configuration === null ? { topology } : { topology, configuration };
  }

  onTopology(listener: () => void): () => void {
    let told = '';
    return this.#agent.onChange(() => {
      const fresh = this.#agent.freshView;
      if (fresh === null) return;
      const key = `${fresh.view.store.spec?.revision ?? 0} ${topologyKey(buildTopology(fresh.view, fresh.memory))}`;
      if (key === told) return;
      told = key;
      listener();
    });
  }

  report(report: PoolerReport): void {
    if (this.#agent.reports.accept(report)) this.#agent.reported();
  }

  async switchover(request: SwitchoverRequest, by: string, signal: AbortSignal): Promise<SwitchoverAnswer> {
    const holder = this.#holder();
    if (holder !== this.node) return await this.#peer(holder).switchover(request, by, signal);
    if (this.#starting) return this.#busy(request);
    this.#starting = true;
    try {
      const answer = await startSwitchover(this.#switchoverParts(signal), request, by);
      if (answer.outcome === 'started') {
        const { from, to } = answer.preflight;
        this.#agent.emit('switchover.started', { operation: answer.operation, from, to, by });
      }
      return answer;
    } finally {
      this.#starting = false;
    }
  }

  #busy(request: SwitchoverRequest): SwitchoverAnswer {
    const blockers = [
      { what: 'switchover', blockedBy: 'operation-active', text: 'another switchover is being prepared' },
    ];
    const preflight: Preflight = { from: this.node, to: request.to, poolers: [], blockers, warnings: [] };
    return { outcome: 'refused', preflight };
  }

  #switchoverParts(signal: AbortSignal) {
    const agent = this.#agent;
    return {
      clock: agent.clock,
      postgres: agent.postgres,
      mirror: agent.mirror,
      latest: () => agent.freshView,
      spec: () => agent.spec(),
      checkpointOn: async (node: NodeName) => await this.#peer(node).checkpoint(signal),
      claim: (operation: string | null) => agent.request({ driving: operation, cancelOperation: null }),
      // An agent that ends closes its API, and with it every caller's connection.
      signal,
      ended: agent.signal,
    };
  }

  async cancel(operation: string, by: string): Promise<Accepted> {
    const current = this.operation();
    if (current === null || current.id !== operation)
      return { accepted: false, because: `there is no operation ${operation} under way` };
    if (current.phase === 'finished' || current.phase === 'undone')
      return { accepted: false, because: `it is ${current.phase} already` };
    if (current.phase === 'handed-over')
      return { accepted: false, because: `${current.to} has taken over already; it finishes` };
    if (current.from !== this.node) return await this.#peer(current.from).cancel(operation, by);
    this.#agent.request({ cancelOperation: operation });
    return { accepted: true, because: 'it is being undone' };
  }

  async failover(request: FailoverRequest, by: string): Promise<FailoverAnswer> {
    const { mirror, clock, signal, emit } = this.#agent;
    return await orderFailover({ mirror, clock, signal, emit, fresh: this.#fresh() }, request, by);
  }

  readOnly(request: ReadOnlyRequest, by: string): Promise<Accepted> {
    const { mirror, clock, signal, emit } = this.#agent;
    return orderReadOnly({ mirror, clock, signal, emit }, request, by);
  }

  handsOff(request: HandsOffRequest, by: string): Promise<Accepted> {
    const { mirror, clock, signal, emit } = this.#agent;
    return orderHandsOff({ mirror, clock, signal, emit }, request, by);
  }

  operation(): Operation | null {
    return this.#agent.mirror.image.operation?.value ?? null;
  }

  receipts(): Promise<readonly Receipt[]> {
    return Promise.resolve(this.#agent.mirror.image.receipts);
  }

  receipt(id: string): Promise<Receipt | null> {
    return Promise.resolve(this.#agent.mirror.image.receipts.find((receipt) => receipt.id === id) ?? null);
  }

  async lost(): Promise<readonly LostReport[]> {
    return (await this.#agent.postgres.lostReports()).slice(-lostReportsAnswered);
  }

  /** Only the holder that this agent knows of is promised anything: a later one is in the store already. */
  async promise(request: PromiseRequest, by: NodeName): Promise<PromiseAnswer> {
    const lease = this.#agent.mirror.image.lease?.value;
    if (lease?.state !== 'held' || lease.holder !== by || lease.term !== request.term)
      return { given: false, round: 0 };
    let answer: PromiseAnswer = { given: false, round: 0 };
    await this.#agent.bind((record, now) => {
      const bound = promiseTo(record, request, now);
      answer = answerOf(bound ?? record, request.term, bound !== null);
      return bound;
    });
    return answer;
  }

  /** Only after the release: until then this node may start its server again. */
  async lastWords(request: WalRequest): Promise<{ readonly piece: WalPiece | null }> {
    const lease = this.#agent.mirror.image.lease?.value;
    if (lease?.state !== 'released' || lease.by !== this.node) return { piece: null };
    return { piece: await this.#agent.postgres.readWal(request) };
  }

  async checkpoint(signal: AbortSignal): Promise<void> {
    const options = { withinMs: checkpointWithinMs, signal };
    await this.#agent.postgres.checkpoint(options);
    const databases = this.#agent.spec().databases.map(({ name }) => name);
    // Only of use to the first logins after a promotion: its failure is theirs to notice.
    await this.#agent.postgres.warm(databases, { ...options, withinMs: 2_000 }).catch(() => undefined);
  }

  reinit(by: string): Promise<Accepted> {
    return Promise.resolve(this.#ask('reinit', 'a new clone', by));
  }

  restart(by: string): Promise<Accepted> {
    return Promise.resolve(this.#ask('restart', 'a restart', by));
  }

  member(): MemberStatus | null {
    return this.#agent.mirror.image.members.get(this.node)?.value ?? null;
  }

  #ask(what: 'reinit' | 'restart', words: string, by: string): Accepted {
    if (this.#agent.mirror.image.handsOff !== null) return { accepted: false, because: handsAreOff };
    if (this.#holder() === this.node) {
      return { accepted: false, because: `${this.node} is the primary: \`understudy switchover\` first` };
    }
    const state = this.#agent.latest?.view.postgres.state ?? 'unknown';
    if (what === 'restart' && state !== 'standby')
      return { accepted: false, because: `PostgreSQL on ${this.node} is ${state}` };
    this.#agent.request({ [what]: true });
    this.#agent.emit('request.accepted', { by, node: this.node, what: words });
    return { accepted: true, because: `${this.node} was asked for ${words}` };
  }

  #holder(): NodeName {
    const lease = this.#agent.mirror.image.lease?.value;
    if (lease === undefined) throw new UnderstudyError('REFUSED', 'nobody holds the lease yet');
    if (lease.state === 'released') {
      const heir =
        lease.to === null ? 'whoever is elected, and nobody is yet' : `${lease.to}, which has not taken it yet`;
      throw new UnderstudyError('REFUSED', `the lease was released to ${heir}`);
    }
    return lease.holder;
  }

  #fresh() {
    const fresh = this.#agent.freshView;
    if (fresh === null)
      throw new UnderstudyError('STORE_UNREACHABLE', 'this agent has not made its first decision yet', {
        hint: 'try again in a second',
      });
    return fresh;
  }
}

function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
