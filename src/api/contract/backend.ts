/**
 * What the routes call: the API's side of an agent, whichever node it is for. Joins what each audience may ask.
 *
 * Every method may throw `UnderstudyError`.
 */
import type { DatabaseState } from '../../core/applied.ts';
import type { CertificateWish, IssuedCertificate } from '../../core/certificates.ts';
import type { WalPiece, WalRequest } from '../../core/last-words.ts';
import type { LostReport } from '../../core/lost-report.ts';
import type { Operation } from '../../core/operation.ts';
import type { PoolerReport } from '../../core/pooler-report.ts';
import type { PromiseAnswer, PromiseRequest } from '../../core/promise.ts';
import type { Receipt } from '../../core/receipt.ts';
import type { KnownCertificate } from '../../core/revocation.ts';
import type { NodeName } from '../../core/spec.ts';
import type { ClusterStatus } from '../../core/status.ts';
import type { EventRecord } from '../../events/catalogue.ts';
import type { TopologyMessage } from './app-nodes.ts';
import type { AuditAnswers } from './audit.ts';
import type { BackupAnswers } from './backups.ts';
import type {
  AuthorityAnswers,
  RegisteredAnswers,
  RevocationAnswer,
  RevocationRequest,
  TrustAnswers,
} from './certificates.ts';
import type {
  CredentialListing,
  DropAnswer,
  DropRequest,
  RevertRequest,
  RotationAnswer,
  RotationRequest,
} from './databases.ts';
import type {
  EnrolmentGrant,
  EnrolmentRequest,
  PersonAnswer,
  PersonRequest,
  TokenAnswer,
  TokenRequest,
} from './enrolment.ts';
import type { Orderer } from './identities.ts';
import type { DoctorFinding, SpecAnswer, WhyAnswer } from './looks.ts';
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
} from './orders.ts';

export interface AgentBackend {
  readonly node: NodeName;
  readonly cluster: string;
  identify(name: NodeName): 'database' | 'app' | 'witness' | 'unknown';
  health(): {
    readonly node: NodeName;
    readonly version: string;
    readonly term: number;
    readonly storeAgeMs: number | null;
  };
  status(): ClusterStatus;
  why(): WhyAnswer;
  doctor(): Promise<readonly DoctorFinding[]>;
  spec(): SpecAnswer;
  apply(request: ApplyRequest, by: string): Promise<{ readonly revision: number }>;
  /** Events after that sequence number, oldest first. */
  events(after: number): readonly EventRecord[];
  onEvent(listener: (event: EventRecord) => void): () => void;
  topologyMessage(forNode: NodeName | null): TopologyMessage;
  /** Calls back at every change of what `topologyMessage` would answer. */
  onTopology(listener: () => void): () => void;
  report(report: PoolerReport): void;
  /**
   * Answered by the lease's holder; other agents forward the request to it. Once the signal fires nothing is begun any
   * more: what it answers or throws after that is the truth about it.
   */
  switchover(request: SwitchoverRequest, by: Orderer, signal: AbortSignal): Promise<SwitchoverAnswer>;
  cancel(operation: string, by: Orderer): Promise<Accepted>;
  /** Says who would be elected and what would be lost, or records that a person accepts it. */
  failover(request: FailoverRequest, by: string): Promise<FailoverAnswer>;
  /** Has poolers serve from standbys while nobody may write, or ends that; any database node's agent writes it. */
  readOnly(request: ReadOnlyRequest, by: string): Promise<Accepted>;
  /** Keeps the automation from acting, or lets it act again; likewise. */
  handsOff(request: HandsOffRequest, by: string): Promise<Accepted>;
  credentials(): readonly CredentialListing[];
  /** Any database node's agent writes the order; the holder's carries it out. */
  rotateCredentials(request: RotationRequest, by: string): Promise<RotationAnswer>;
  /** What somebody changed by hand in the databases; only the primary's agent knows. */
  databases(signal: AbortSignal): Promise<DatabaseState>;
  revertDatabases(request: RevertRequest, by: string, signal: AbortSignal): Promise<Accepted>;
  dropDatabase(request: DropRequest, by: string, signal: AbortSignal): Promise<DropAnswer>;
  operation(): Operation | null;
  receipts(): Promise<readonly Receipt[]>;
  receipt(id: string): Promise<Receipt | null>;
  /** What this node had committed alone whenever it came back, oldest first. */
  lost(): Promise<readonly LostReport[]>;
  checkpoint(signal: AbortSignal): Promise<void>;
  /** The holder's agent asks this node not to cut itself off for a while; `by`: its name in its certificate. */
  promise(request: PromiseRequest, by: NodeName): Promise<PromiseAnswer>;
  /** A piece of this node's WAL, once it has released the lease with its PostgreSQL down; `null`: there is none. */
  lastWords(request: WalRequest): Promise<{ readonly piece: WalPiece | null }>;
  /** New certificates for that node, by signing requests of its own; see agent/issuing.ts. */
  issue(node: NodeName, wishes: readonly CertificateWish[]): Promise<readonly IssuedCertificate[]>;
  /** Any database node's agent writes it. Throws NOT_FOUND, REFUSED, CONFLICT. */
  orderToken(request: TokenRequest, by: string): Promise<TokenAnswer>;
  /** For whoever has a token, and no certificate yet; see agent/enrolment.ts. Throws TOKEN_REFUSED. */
  enrol(request: EnrolmentRequest): Promise<{ readonly grant: EnrolmentGrant; readonly orderedBy: string }>;
  certifyPerson(request: PersonRequest, by: string): Promise<PersonAnswer>;
  /** What is remembered of certificates that were issued. */
  certificates(): readonly KnownCertificate[];
  /** Any database node's agent writes it; every agent obeys. */
  revokeCertificates(request: RevocationRequest, by: string): Promise<RevocationAnswer>;
  reinit(request: ReinitRequest, by: string): Promise<Accepted>;
  restart(request: RestartRequest, by: string): Promise<Accepted>;
  readonly audit: AuditAnswers;
  readonly authority: AuthorityAnswers;
  readonly registered: RegisteredAnswers;
  readonly trust: TrustAnswers;
  readonly backups: BackupAnswers;
}
