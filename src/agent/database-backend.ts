/**
 * What a database node's agent answers over its API. Reads come from the newest view; requests are passed to the loop, and
 * orders to the modules that carry them out.
 *
 * Invariant: nothing is changed here; what only another node's agent may do is passed on to it.
 */
import type { TopologyMessage } from '../api/contract/app-nodes.ts';
import type { AgentBackend } from '../api/contract/backend.ts';
import type { RevocationAnswer, RevocationRequest } from '../api/contract/certificates.ts';
import type {
  CredentialListing,
  DropAnswer,
  DropRequest,
  RevertRequest,
  RotationAnswer,
  RotationRequest,
} from '../api/contract/databases.ts';
import type { Orderer } from '../api/contract/identities.ts';
import type { DoctorFinding, SpecAnswer, WhyAnswer } from '../api/contract/looks.ts';
import type {
  Accepted,
  ApplyRequest,
  FailoverAnswer,
  FailoverRequest,
  HandsOffRequest,
  ReadOnlyRequest,
  ReinitRequest,
  RestartRequest,
  SwitchoverAnswer,
  SwitchoverRequest,
} from '../api/contract/orders.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { candidatesNow } from '../core/forecast.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { PromiseAnswer, PromiseRequest } from '../core/promise.ts';
import { lastHeardMs, reachOf } from '../core/reach.ts';
import type { Receipt } from '../core/receipt.ts';
import type { KnownCertificate } from '../core/revocation.ts';
import { findNode, type NodeName } from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import { summarise } from '../core/status-summary.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { EventRecord } from '../events/catalogue.ts';
import { type ApplyOrderParts, orderApply } from './apply-order.ts';
import { backupsNow } from './backup-standing.ts';
import { listCredentials, orderRotation } from './credential-order.ts';
import type { DatabaseNode } from './database-node.ts';
import { databaseState, dropDatabase, revertDatabases } from './database-orders.ts';
import { orderFailover } from './failover-order.ts';
import { orderHandsOff } from './hands-off-order.ts';
import { checkpointAhead, lastWords, promiseHolder } from './holder-requests.ts';
import { type NodeOrder, orderOfNode } from './node-orders.ts';
import type { PeerAgent } from './peers.ts';
import { orderReadOnly } from './read-only-order.ts';
import { knownOf, orderRevocation } from './revocation-order.ts';
import { SwitchoverOrders } from './switchover-orders.ts';
import { onTopologyNews, topologyMessage } from './topology-news.ts';
import { whyAnswer } from './why-answer.ts';

export interface BackendParts {
  readonly cluster: string;
  readonly agent: DatabaseNode;
  readonly peer: (node: NodeName) => PeerAgent;
  readonly doctor: () => Promise<readonly DoctorFinding[]>;
  readonly disagreements: ApplyOrderParts['disagreements'];
  readonly issue: AgentBackend['issue'];
  readonly enrolment: Pick<AgentBackend, 'orderToken' | 'enrol' | 'certifyPerson'>;
  readonly audit: Omit<AgentBackend['audit'], 'anchors'>;
  readonly authority: AgentBackend['authority'];
  readonly registered: AgentBackend['registered'];
  readonly trust: AgentBackend['trust'];
  readonly backups: AgentBackend['backups'];
  /** Of the declared schedules. */
  readonly nextAfter: NextAfter;
}

/** Each may list a thousand transactions; an answer has its limit. */
const lostReportsAnswered = 20;

export class DatabaseBackend implements AgentBackend {
  readonly cluster: string;
  readonly node: NodeName;
  readonly doctor: () => Promise<readonly DoctorFinding[]>;
  readonly audit: AgentBackend['audit'];
  readonly authority: AgentBackend['authority'];
  readonly registered: AgentBackend['registered'];
  readonly trust: AgentBackend['trust'];
  readonly backups: AgentBackend['backups'];
  readonly #parts: BackendParts;
  readonly #agent: DatabaseNode;
  readonly #switchovers: SwitchoverOrders;

  constructor(parts: BackendParts) {
    this.cluster = parts.cluster;
    this.node = parts.agent.node;
    this.doctor = parts.doctor;
    const { audit, agent } = parts;
    const anchors = () => [...agent.mirror.image.audits].map(([node, { value }]) => ({ node, ...value }));
    this.authority = parts.authority;
    this.registered = parts.registered;
    this.trust = parts.trust;
    this.backups = parts.backups;
    this.audit = { ...audit, anchors };
    this.#parts = parts;
    this.#agent = parts.agent;
    this.#switchovers = new SwitchoverOrders(parts.agent, parts.peer);
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
    const { clock, mirror } = this.#agent;
    const backups = backupsNow({ clock, mirror, nextAfter: this.#parts.nextAfter });
    const status = summarise(view, lastHeardMs(view, memory), memory.handsOff?.sinceMs, backups);
    return {
      ...status,
      cluster: status.cluster === '' ? this.cluster : status.cluster,
      lastReceipt: this.#agent.mirror.image.receipts.at(-1)?.id ?? null,
      authority: this.authority.state().parts,
      registered: this.registered.all(),
    };
  }

  why(): WhyAnswer {
    const latest = this.#agent.latest;
    if (latest === null) throw new UnderstudyError('NOT_FOUND', 'this agent has not made its first decision yet');
    const { view, memory } = this.#fresh();
    const candidates = candidatesNow(view, memory, reachOf(view, lastHeardMs(view, memory)));
    return whyAnswer(this.node, latest, { trouble: this.#agent.mirror.trouble, candidates });
  }

  spec(): SpecAnswer {
    this.#agent.spec();
    const record = this.#agent.mirror.image.spec;
    if (record === null) throw new UnderstudyError('NOT_FOUND', 'there is no spec in the store yet');
    return record.value;
  }

  apply(request: ApplyRequest, by: string): Promise<{ revision: number }> {
    const { cluster, disagreements } = this.#parts;
    return orderApply({ cluster, disagreements, ...this.#writing }, request, by);
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
    return topologyMessage(this.#agent, forNode);
  }

  onTopology(listener: () => void): () => void {
    return onTopologyNews(this.#agent, listener);
  }

  report(report: PoolerReport): void {
    if (this.#agent.reports.accept(report)) this.#agent.reported();
  }

  switchover(request: SwitchoverRequest, by: Orderer, signal: AbortSignal): Promise<SwitchoverAnswer> {
    return this.#switchovers.start(request, by, signal);
  }

  cancel(operation: string, by: Orderer): Promise<Accepted> {
    return this.#switchovers.cancel(operation, by);
  }

  async failover(request: FailoverRequest, by: string): Promise<FailoverAnswer> {
    return await orderFailover({ ...this.#writing, fresh: this.#fresh() }, request, by);
  }

  readOnly(request: ReadOnlyRequest, by: string): Promise<Accepted> {
    return orderReadOnly(this.#writing, request, by);
  }

  handsOff(request: HandsOffRequest, by: string): Promise<Accepted> {
    return orderHandsOff(this.#writing, request, by);
  }

  credentials(): readonly CredentialListing[] {
    return listCredentials(this.#fresh().view);
  }

  rotateCredentials(request: RotationRequest, by: string): Promise<RotationAnswer> {
    return orderRotation(this.#writing, this.#fresh().view, request, by);
  }

  databases(signal: AbortSignal): Promise<DatabaseState> {
    return databaseState(this.#agent, signal);
  }

  revertDatabases({ name }: RevertRequest, by: string, signal: AbortSignal): Promise<Accepted> {
    return revertDatabases(this.#agent, name, by, signal);
  }

  dropDatabase({ name }: DropRequest, by: string, signal: AbortSignal): Promise<DropAnswer> {
    return dropDatabase(this.#agent, name, by, signal);
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

  promise(request: PromiseRequest, by: NodeName): Promise<PromiseAnswer> {
    return promiseHolder(this.#agent, request, by);
  }

  lastWords(request: WalRequest): Promise<{ readonly piece: WalPiece | null }> {
    return lastWords(this.#agent, request);
  }

  checkpoint(signal: AbortSignal): Promise<void> {
    return checkpointAhead(this.#agent, signal);
  }

  issue: AgentBackend['issue'] = (node, wishes) => this.#parts.issue(node, wishes);

  orderToken: AgentBackend['orderToken'] = (request, by) => this.#parts.enrolment.orderToken(request, by);

  enrol: AgentBackend['enrol'] = (request) => this.#parts.enrolment.enrol(request);

  certifyPerson: AgentBackend['certifyPerson'] = (request, by) => this.#parts.enrolment.certifyPerson(request, by);

  certificates(): readonly KnownCertificate[] {
    const { image } = this.#agent.mirror;
    return [...image.certificates.values()].map(({ value }) => knownOf(value, image));
  }

  revokeCertificates(request: RevocationRequest, by: string): Promise<RevocationAnswer> {
    return orderRevocation(this.#writing, request, by);
  }

  reinit({ from }: ReinitRequest, by: string): Promise<Accepted> {
    return Promise.resolve(this.#orderOfNode({ what: 'reinit', from }, by));
  }

  restart({ stopsWrites }: RestartRequest, by: string): Promise<Accepted> {
    return Promise.resolve(this.#orderOfNode({ what: 'restart', stopsWrites }, by));
  }

  #orderOfNode(order: NodeOrder, by: string): Accepted {
    return orderOfNode(this.#agent, order, this.identify(this.node) === 'witness', by);
  }

  /** What an order needs to write itself into the store. */
  get #writing() {
    const { mirror, clock, signal, emit } = this.#agent;
    return { mirror, clock, signal, emit };
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
