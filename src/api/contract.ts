/**
 * The agent's API: routes, who may call them, and what goes over the wire. Both ends import this file.
 *
 * All of it is HTTPS with certificates verified on both sides. Identities come from the client certificate's URI
 * name: `understudy://<cluster>/<node|operator|viewer>/<name>`; a node's role is what the spec says of it now.
 * docs/api.md shows who may call what; a test holds it against the table below.
 */

import type { Topology } from '@understudy/client';
import type { AuditPiece } from '../audit/files.ts';
import type { AuditState } from '../audit/log.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { AuditHead, NodeAnchor } from '../core/audit-anchor.ts';
import type { AuthorityState } from '../core/authority.ts';
import type { CertificateWish, IssuedCertificate } from '../core/certificates.ts';
import type { MemberStatus } from '../core/cluster-view.ts';
import type { SealedCredential } from '../core/credential.ts';
import type { Reason, Refusal } from '../core/decision.ts';
import type { Prospect } from '../core/forecast.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { PromiseAnswer, PromiseRequest } from '../core/promise.ts';
import type { Receipt } from '../core/receipt.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { KnownCertificate, RevocationTarget, RevokedEntry } from '../core/revocation.ts';
import type { FailoverPlan } from '../core/rules/failover-order.ts';
import type {
  ApplicationName,
  ApplicationSpec,
  NodeName,
  NodeRole,
  OwnCertificateSpec,
  PoolerSpec,
  Spec,
} from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import type { TlsRules } from '../core/tls-policy.ts';
import type { TrustRecord, TrustState } from '../core/trust-record.ts';
import type { EventRecord } from '../events/catalogue.ts';

export type Identity =
  | { readonly kind: 'node'; readonly name: NodeName; readonly role: 'database' | 'app' | 'witness' | 'unknown' }
  | Person;

/** `operator`: may do all that a person may; `viewer`: may look, and change nothing. */
export interface Person {
  readonly kind: 'operator' | 'viewer';
  readonly name: string;
}

/** Whom a right is given to: a person by role, or a node by role. */
export type CallerKind = 'operator' | 'viewer' | 'database' | 'app' | 'witness';

/** Who wants something done: a person, or an agent of its own accord. */
export type Orderer = Person | { readonly kind: 'agent'; readonly name: string };

/** What an app node's agent is told beside the topology: only its own applications. */
export interface AppNodeConfiguration {
  readonly specRevision: number;
  /** How long its certificate shall live; an agent of an earlier version does not say it. */
  readonly certificateLifeMs?: number | undefined;
  readonly poolers: PoolerSpec;
  readonly applications: readonly ApplicationSpec[];
  readonly tls: TlsRules;
  /** Own ones that this node shall have; an agent of an earlier version does not say. */
  readonly certificates?: readonly OwnCertificateSpec[] | undefined;
  /** An agent of an earlier version does not say. */
  readonly revoked?: readonly RevokedEntry[] | undefined;
  /** Which roots to trust, signed by one of them. */
  readonly trust?: TrustRecord | undefined;
  /** By which its pooler logs in, sealed to it. */
  readonly credentials: readonly SealedCredential[];
  /** Where every database agent listens. */
  readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string; readonly hostName: string }[];
}

/** One line of `GET /v1/topology/stream` (newline-delimited JSON): sent at every change and at least each second. */
export interface TopologyMessage {
  readonly topology: Topology;
  /** Present in the first message and whenever it changed; only for app nodes. */
  readonly configuration?: AppNodeConfiguration;
}

export interface SwitchoverRequest {
  readonly to: NodeName | null;
  readonly forceAfterMs: number | null;
  readonly without: readonly NodeName[];
  readonly dryRun: boolean;
  readonly paceMs: number;
}

export interface FailoverRequest {
  readonly to: NodeName | null;
  /** What was shown to a person who accepted it; `null`: only ask. */
  readonly accept: {
    readonly term: number;
    readonly counter: number;
    readonly covers: 'unheard' | 'all';
    readonly atLeastBytes: number;
  } | null;
}

/** `checked`: nothing stands against it; whether it needs an acceptance says the plan. */
export interface FailoverAnswer {
  readonly outcome: 'refused' | 'checked' | 'recorded';
  readonly plan: FailoverPlan;
}

export interface HandsOffRequest {
  /** `null`: hands on. At most `handsOffAtMostMs`. */
  readonly forMs: number | null;
}

export interface ReadOnlyRequest {
  readonly on: boolean;
  readonly reason: string | null;
}

export interface RotationRequest {
  /** `null`: all. */
  readonly application: ApplicationName | null;
  readonly node: NodeName | null;
}

export interface RotationAnswer {
  readonly ordered: readonly {
    readonly application: ApplicationName;
    readonly node: NodeName;
    /** The one that is to come. */
    readonly generation: number;
  }[];
}

export interface RevocationRequest {
  readonly target: RevocationTarget;
  /** Also when whoever asks is left without a certificate. */
  readonly lastWayIn: boolean;
}

export interface RevocationAnswer {
  /** All that were meant, those that were revoked before included. */
  readonly revoked: readonly KnownCertificate[];
  /** How many of them it was that now were. */
  readonly newly: number;
}

export interface CredentialListing {
  readonly application: ApplicationName;
  readonly node: NodeName;
  /** `null`: there is none yet. */
  readonly generation: number | null;
  readonly wanted: number | null;
  /** That all server connections of the node's pooler are of; `null`: not known. */
  readonly inUse: number | null;
  readonly issuedAt: string | null;
  readonly issuedBy: NodeName | null;
  /** Has the node published a certificate that a password can be sealed for? */
  readonly isSealable: boolean;
}

export interface Preflight {
  readonly from: NodeName;
  readonly to: NodeName | null;
  readonly poolers: readonly NodeName[];
  readonly blockers: readonly Refusal[];
  readonly warnings: readonly Reason[];
}

export type SwitchoverAnswer =
  | { readonly outcome: 'refused'; readonly preflight: Preflight }
  | { readonly outcome: 'checked'; readonly preflight: Preflight }
  | { readonly outcome: 'started'; readonly preflight: Preflight; readonly operation: string };

export interface WhyAnswer {
  readonly node: NodeName;
  readonly at: string;
  /** Of the view the decision was made from. */
  readonly inputDigest: string;
  readonly reasons: readonly Reason[];
  readonly refused: readonly Refusal[];
  /** Who could take over, and who could not, and why: in the election under way, or in the next. */
  readonly candidates?: readonly Prospect[] | undefined;
  readonly actions: readonly { readonly do: string; readonly because: readonly string[] }[];
}

export interface SpecAnswer {
  readonly revision: number;
  readonly spec: Spec;
  readonly appliedAt: string;
  readonly appliedBy: string;
}

export interface ApplyRequest {
  /** The spec revision that the change was planned against. */
  readonly baseRevision: number;
  readonly spec: Spec;
}

export interface DoctorFinding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failure';
  readonly text: string;
  readonly hint: string | null;
}

export interface RevertRequest {
  /** As `databases` names it; `null`: everything that was changed by hand. */
  readonly name: string | null;
}

export interface DropRequest {
  readonly name: string;
}

export interface DropAnswer {
  readonly database: string;
  /** What went with it. */
  readonly roles: readonly string[];
  /** What has something in another database. */
  readonly kept: readonly string[];
}

/** What became of an order that is refused without anything being changed, or taken on. */
export interface Accepted {
  readonly accepted: boolean;
  readonly because: string;
}

/** The issuing authority that is to be used from now on: its certificate and key, sealed to each database node. */
export interface AuthorityRenewalRequest {
  readonly sealed: readonly { readonly node: NodeName; readonly sealed: string }[];
}

export interface AuthorityRenewalAnswer {
  /** ISO 8601. */
  readonly endsAt: string;
  readonly sealedTo: readonly NodeName[];
}

/** The cluster's authority as this node knows it, and what whoever holds its root has to say. */
export interface AuthorityAnswers {
  state(): AuthorityState;
  renew(request: AuthorityRenewalRequest, by: string): Promise<AuthorityRenewalAnswer>;
}

/** Which roots the cluster trusts; `say`: as one of them has signed it. */
export interface TrustAnswers {
  state(): TrustState;
  say(record: TrustRecord, by: string): Promise<Accepted>;
}

export interface RegistrationRequest {
  /** PEM, the leaf alone. */
  readonly certificatePem: string;
  /** `null`: its first host name. */
  readonly name: string | null;
  readonly where: string | null;
}

/** Certificates of others, whose end is told. */
export interface RegisteredAnswers {
  all(): readonly RegisteredCertificate[];
  register(request: RegistrationRequest, by: string): Promise<RegisteredCertificate>;
  forget(name: string, by: string): Promise<Accepted>;
}

/** By it a node may enrol: what the token says beside this is made where it is ordered, and told to no agent. */
export interface TokenRequest {
  readonly node: NodeName;
  /** As which it is declared; `null`: whatever that is. */
  readonly role: NodeRole | null;
  readonly forMs: number;
  /** Of the token's secret; pki/enrolment-token.ts. */
  readonly digest: string;
}

export interface TokenAnswer {
  readonly node: NodeName;
  readonly role: NodeRole;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Where it may be used: `host:port`. */
  readonly addresses: readonly string[];
}

export interface EnrolmentRequest {
  readonly node: NodeName;
  readonly secret: string;
  readonly wishes: readonly CertificateWish[];
}

/** What a node that is new needs to write its node file. */
export interface EnrolmentGrant {
  /** Of what was wished for what this node may have. */
  readonly issued: readonly IssuedCertificate[];
  readonly caPem: string;
  readonly address: string;
  readonly apiPort: number;
  readonly databaseAgents: readonly { readonly node: NodeName; readonly address: string }[];
  readonly storeEndpoints: readonly string[];
  /** Of the store, where that has an authority of its own. */
  readonly storeCaFile: string | null;
  readonly dataDirectory: string | null;
}

/** A certificate for a person, whose key is made where it is ordered. */
export interface PersonRequest {
  readonly role: Person['kind'];
  readonly name: string;
  readonly lifeMs: number;
  /** PEM. */
  readonly request: string;
}

export interface PersonAnswer {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly caPem: string;
}

/** An agent's own audit log, as it stands in its files, and what the store knows of all of them. */
export interface AuditAnswers {
  log(): AuditState;
  /** `text`: lines as they stand there, from that byte on. */
  read(file: string, offset: number): Promise<AuditPiece>;
  /** Empty on nodes without a store. */
  anchors(): readonly NodeAnchor[];
  /** Another node's log may be as it is, up to that line. Only an agent with a store takes it. */
  accept(accepted: AuditAcceptance): Promise<void>;
}

/** `sequence` and `hash`: of the last line when a person looked. */
export interface AuditAcceptance extends AuditHead {
  readonly node: NodeName;
}

/** What the routes call; the agent implements it. Every method may throw `UnderstudyError`. */
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
  reinit(by: string): Promise<Accepted>;
  restart(by: string): Promise<Accepted>;
  member(): MemberStatus | null;
  readonly audit: AuditAnswers;
  readonly authority: AuthorityAnswers;
  readonly registered: RegisteredAnswers;
  readonly trust: TrustAnswers;
}

/** Answers from memory, or with one short act. */
const atOnceMs = 10_000;
const people = ['operator', 'viewer'] as const;
const readers = [...people, 'database'] as const;

/** `withinMs`: how long the agent may take for its answer; whoever asks waits a little longer. Streams have no end. */
export const routes = {
  health: { method: 'GET', path: '/v1/health', who: [...readers, 'witness'], withinMs: atOnceMs },
  status: { method: 'GET', path: '/v1/status', who: readers, withinMs: atOnceMs },
  why: { method: 'GET', path: '/v1/why', who: readers, withinMs: atOnceMs },
  /** It runs programs, and asks other agents for the time. */
  doctor: { method: 'GET', path: '/v1/doctor', who: people, withinMs: 29_000 },
  spec: { method: 'GET', path: '/v1/spec', who: readers, withinMs: atOnceMs },
  apply: { method: 'POST', path: '/v1/spec', who: ['operator'], withinMs: atOnceMs },
  /** Newline-delimited JSON of EventRecord; `?after=N`, `?follow=true`. */
  events: { method: 'GET', path: '/v1/events', who: readers, withinMs: atOnceMs },
  topology: { method: 'GET', path: '/v1/topology', who: [...readers, 'app'], withinMs: atOnceMs },
  topologyStream: {
    method: 'GET',
    path: '/v1/topology/stream',
    who: [...readers, 'app'],
    withinMs: atOnceMs,
  },
  /** Only the app node itself may report for itself. */
  report: { method: 'POST', path: '/v1/poolers/:node/report', who: ['app'], withinMs: atOnceMs },
  /** Two checkpoints come first, of up to 110 s each (agent/switchover-start.ts). */
  switchover: { method: 'POST', path: '/v1/switchover', who: ['operator', 'database'], withinMs: 235_000 },
  operation: { method: 'GET', path: '/v1/operation', who: readers, withinMs: atOnceMs },
  cancel: { method: 'POST', path: '/v1/operations/:id/cancel', who: ['operator', 'database'], withinMs: atOnceMs },
  failover: { method: 'POST', path: '/v1/failover', who: ['operator'], withinMs: atOnceMs },
  readOnly: { method: 'POST', path: '/v1/read-only', who: ['operator'], withinMs: atOnceMs },
  handsOff: { method: 'POST', path: '/v1/hands-off', who: ['operator'], withinMs: atOnceMs },
  credentials: { method: 'GET', path: '/v1/credentials', who: readers, withinMs: atOnceMs },
  rotateCredentials: { method: 'POST', path: '/v1/credentials/rotate', who: ['operator'], withinMs: atOnceMs },
  databases: { method: 'GET', path: '/v1/databases', who: readers, withinMs: atOnceMs },
  revertDatabases: { method: 'POST', path: '/v1/databases/revert', who: ['operator'], withinMs: 60_000 },
  dropDatabase: { method: 'POST', path: '/v1/databases/drop', who: ['operator'], withinMs: 60_000 },
  receipts: { method: 'GET', path: '/v1/receipts', who: readers, withinMs: atOnceMs },
  receipt: { method: 'GET', path: '/v1/receipts/:id', who: readers, withinMs: atOnceMs },
  lost: { method: 'GET', path: '/v1/lost', who: readers, withinMs: atOnceMs },
  checkpoint: { method: 'POST', path: '/v1/checkpoint', who: ['database'], withinMs: 115_000 },
  promise: { method: 'POST', path: '/v1/promise', who: ['database'], withinMs: atOnceMs },
  lastWords: { method: 'POST', path: '/v1/last-words', who: ['database'], withinMs: atOnceMs },
  /** A node for itself alone, by its certificate. It starts a program, on a machine that may be busy. */
  certificate: { method: 'POST', path: '/v1/certificate', who: ['database', 'app', 'witness'], withinMs: 25_000 },
  token: { method: 'POST', path: '/v1/tokens', who: ['operator'], withinMs: atOnceMs },
  person: { method: 'POST', path: '/v1/people', who: ['operator'], withinMs: 25_000 },
  certificates: { method: 'GET', path: '/v1/certificates', who: readers, withinMs: atOnceMs },
  trust: { method: 'GET', path: '/v1/trust', who: readers, withinMs: atOnceMs },
  stateTrust: { method: 'POST', path: '/v1/trust', who: ['operator'], withinMs: atOnceMs },
  registered: { method: 'GET', path: '/v1/certificates/registered', who: readers, withinMs: atOnceMs },
  registerCertificate: {
    method: 'POST',
    path: '/v1/certificates/registered',
    who: ['operator'],
    withinMs: atOnceMs,
  },
  forgetCertificate: { method: 'POST', path: '/v1/certificates/forget', who: ['operator'], withinMs: atOnceMs },
  authority: { method: 'GET', path: '/v1/authority', who: readers, withinMs: atOnceMs },
  /** It starts a program, on a machine that may be busy. */
  renewAuthority: { method: 'POST', path: '/v1/authority', who: ['operator'], withinMs: 45_000 },
  revokeCertificates: { method: 'POST', path: '/v1/certificates/revoke', who: ['operator'], withinMs: atOnceMs },
  audit: { method: 'GET', path: '/v1/audit', who: people, withinMs: atOnceMs },
  auditAnchors: { method: 'GET', path: '/v1/audit/anchors', who: people, withinMs: atOnceMs },
  /** `?offset=N`, in bytes. */
  auditFile: { method: 'GET', path: '/v1/audit/files/:file', who: people, withinMs: atOnceMs },
  acceptAudit: { method: 'POST', path: '/v1/audit/accept', who: ['operator'], withinMs: atOnceMs },
  reinit: { method: 'POST', path: '/v1/reinit', who: ['operator'], withinMs: atOnceMs },
  restart: { method: 'POST', path: '/v1/restart', who: ['operator'], withinMs: atOnceMs },
} as const;

export type RouteName = keyof typeof routes;

export function mayCall(route: RouteName, kind: CallerKind | 'unknown'): boolean {
  const who: readonly string[] = routes[route].who;
  return who.includes(kind);
}

/** `operator/<percent-encoded name>`: for whom a database node's agent forwards a request. */
export const onBehalfOfHeader = 'x-understudy-on-behalf-of';
