/**
 * Asks one agent, as a node or as an operator: a method for each route.
 *
 * Every call has a deadline and throws `UnderstudyError` alone: AGENT_UNREACHABLE, CERTIFICATE_REFUSED, ANSWER_INVALID, or
 * the code that the agent answered with. Nothing is tried twice: what to do next is the caller's to know.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import type { AuditPiece } from '../audit/files.ts';
import type { AuditState } from '../audit/log.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { NodeAnchor } from '../core/audit-anchor.ts';
import type { AuthorityState } from '../core/authority.ts';
import type { BackupRun } from '../core/backup-run.ts';
import type { CertificateWish, IssuedCertificate } from '../core/certificates.ts';
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { LostReport } from '../core/lost-report.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { PromiseAnswer, PromiseRequest } from '../core/promise.ts';
import type { Receipt } from '../core/receipt.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { KnownCertificate } from '../core/revocation.ts';
import type { NodeName } from '../core/spec.ts';
import type { ClusterStatus } from '../core/status.ts';
import type { TrustRecord, TrustState } from '../core/trust-record.ts';
import type { EventRecord } from '../events/catalogue.ts';
import { behalfOf } from './caller.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { TopologyMessage } from './contract/app-nodes.ts';
import type { AuditAcceptance } from './contract/audit.ts';
import type { AgentBackend } from './contract/backend.ts';
import type { BackupOrderRequest, BackupStanding, RepositorySecretRequest } from './contract/backups.ts';
import type {
  AuthorityRenewalAnswer,
  AuthorityRenewalRequest,
  RegistrationRequest,
  RevocationAnswer,
  RevocationRequest,
} from './contract/certificates.ts';
import type {
  CredentialListing,
  DropAnswer,
  DropRequest,
  RevertRequest,
  RotationAnswer,
  RotationRequest,
} from './contract/databases.ts';
import type { PersonAnswer, PersonRequest, TokenAnswer, TokenRequest } from './contract/enrolment.ts';
import type { Person } from './contract/identities.ts';
import type { DoctorFinding, SpecAnswer, WhyAnswer } from './contract/looks.ts';
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
} from './contract/orders.ts';
import { dataDirectoryHeader, onBehalfOfHeader, passageProtocol, type RouteName, routes } from './contract/routes.ts';
import { exchange, exchangeLines, follow, handOver } from './exchange.ts';
import { answers } from './schemas/answers.ts';
import { parseTopologyMessage } from './schemas/between-agents.ts';
import { parseEvent } from './schemas/looks.ts';

export type AgentClientOptions = ConnectionOptions;

export interface AskOptions {
  /** For the whole exchange; each call has a default. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
}

export interface ForwardOptions extends AskOptions {
  /** The person who asked; only a database node's agent may say so. */
  readonly onBehalfOf?: Person | undefined;
}

export interface AgentClient {
  health(options?: AskOptions): Promise<ReturnType<AgentBackend['health']>>;
  status(options?: AskOptions): Promise<ClusterStatus>;
  why(options?: AskOptions): Promise<WhyAnswer>;
  doctor(options?: AskOptions): Promise<readonly DoctorFinding[]>;
  spec(options?: AskOptions): Promise<SpecAnswer>;
  apply(request: ApplyRequest, options?: AskOptions): Promise<{ readonly revision: number }>;
  /** Those after this sequence number that the agent still has, oldest first. */
  events(after: number, options?: AskOptions): Promise<readonly EventRecord[]>;
  topology(options?: AskOptions): Promise<TopologyMessage>;
  report(report: PoolerReport, options?: AskOptions): Promise<void>;
  switchover(request: SwitchoverRequest, options?: ForwardOptions): Promise<SwitchoverAnswer>;
  operation(options?: AskOptions): Promise<Operation | null>;
  cancel(operation: string, options?: ForwardOptions): Promise<Accepted>;
  failover(request: FailoverRequest, options?: AskOptions): Promise<FailoverAnswer>;
  readOnly(request: ReadOnlyRequest, options?: AskOptions): Promise<Accepted>;
  handsOff(request: HandsOffRequest, options?: AskOptions): Promise<Accepted>;
  credentials(options?: AskOptions): Promise<readonly CredentialListing[]>;
  /** Throws NOT_FOUND, CONFLICT. */
  rotateCredentials(request: RotationRequest, options?: AskOptions): Promise<RotationAnswer>;
  /** Of the primary's agent alone. */
  databases(options?: AskOptions): Promise<DatabaseState>;
  revertDatabases(request: RevertRequest, options?: AskOptions): Promise<Accepted>;
  dropDatabase(request: DropRequest, options?: AskOptions): Promise<DropAnswer>;
  receipts(options?: AskOptions): Promise<readonly Receipt[]>;
  /** Throws NOT_FOUND. */
  receipt(id: string, options?: AskOptions): Promise<Receipt>;
  lost(options?: AskOptions): Promise<readonly LostReport[]>;
  checkpoint(options?: AskOptions): Promise<void>;
  promise(request: PromiseRequest, options?: AskOptions): Promise<PromiseAnswer>;
  lastWords(request: WalRequest, options?: AskOptions): Promise<{ readonly piece: WalPiece | null }>;
  /** For the node that asks. */
  certificate(wishes: readonly CertificateWish[], options?: AskOptions): Promise<readonly IssuedCertificate[]>;
  /** Throws NOT_FOUND, REFUSED, CONFLICT. */
  orderToken(request: TokenRequest, options?: AskOptions): Promise<TokenAnswer>;
  certifyPerson(request: PersonRequest, options?: AskOptions): Promise<PersonAnswer>;
  certificates(options?: AskOptions): Promise<readonly KnownCertificate[]>;
  /** Throws REFUSED. */
  revokeCertificates(request: RevocationRequest, options?: AskOptions): Promise<RevocationAnswer>;
  trust(options?: AskOptions): Promise<TrustState>;
  /** Throws CERTIFICATE_REFUSED, REFUSED, CONFLICT. */
  stateTrust(record: TrustRecord, options?: AskOptions): Promise<Accepted>;
  registered(options?: AskOptions): Promise<readonly RegisteredCertificate[]>;
  /** Throws CERTIFICATE_REFUSED, REFUSED, CONFLICT. */
  registerCertificate(request: RegistrationRequest, options?: AskOptions): Promise<RegisteredCertificate>;
  /** Throws NOT_FOUND. */
  forgetCertificate(request: { readonly name: string }, options?: AskOptions): Promise<Accepted>;
  authority(options?: AskOptions): Promise<AuthorityState>;
  /** Throws CERTIFICATE_REFUSED, REFUSED, CONFLICT. */
  renewAuthority(request: AuthorityRenewalRequest, options?: AskOptions): Promise<AuthorityRenewalAnswer>;
  audit(options?: AskOptions): Promise<AuditState>;
  auditAnchors(options?: AskOptions): Promise<readonly NodeAnchor[]>;
  auditFile(file: string, offset: number, options?: AskOptions): Promise<AuditPiece>;
  acceptAudit(accepted: AuditAcceptance, options?: AskOptions): Promise<void>;
  /** `seen`: the stamp of the run that is known: the agent waits a second for another one. */
  backups(options?: AskOptions, seen?: string): Promise<BackupStanding>;
  orderBackup(request: BackupOrderRequest, options?: AskOptions): Promise<BackupRun>;
  /** Throws REFUSED where it is not under way. */
  cancelBackup(request: { readonly run: string }, options?: AskOptions): Promise<BackupRun>;
  /** The primary's end of a backup that this node makes; `version`: of pgBackRest here. Throws REFUSED. */
  backupPassage(
    version: string,
    options?: AskOptions,
  ): Promise<{ readonly connection: Duplex; readonly dataDirectory: string }>;
  giveRepositorySecret(
    request: RepositorySecretRequest,
    options?: AskOptions,
  ): Promise<{ readonly sealedTo: readonly NodeName[] }>;
  reinit(request?: ReinitRequest, options?: AskOptions): Promise<Accepted>;
  restart(request?: RestartRequest, options?: AskOptions): Promise<Accepted>;
  /** Returns when the signal fires; throws when the stream breaks or is silent for 3 s. Connects once. */
  followTopology(onMessage: (message: TopologyMessage) => void, signal: AbortSignal): Promise<void>;
  /** What there is after that sequence number, then what comes; ends as `followTopology` does. */
  followEvents(after: number, onEvent: (event: EventRecord) => void, signal: AbortSignal): Promise<void>;
  /** Ends its connections. */
  close(): void;
}

/** An agent sends something each second: three times that is silence. */
const silenceMs = 3_000;
const usualMs = 5_000;
/** Longer than the agent itself takes at most, so that its own words come before ours. */
const patienceFor = (route: RouteName): number => routes[route].withinMs + 5_000;

/** Throws CERTIFICATE_REFUSED when the own credentials can't be used. */
export function createAgentClient(options: AgentClientOptions): AgentClient {
  const connection = new Connection(options);
  const call = <T>(
    name: RouteName,
    schema: z.ZodType<T>,
    asked: ForwardOptions = {},
    what: {
      readonly parameter?: string;
      readonly query?: string;
      readonly body?: unknown;
      readonly usuallyMs?: number;
    } = {},
  ): Promise<T> => {
    const { onBehalfOf, signal, withinMs = what.usuallyMs ?? usualMs } = asked;
    const ask = {
      method: routes[name].method,
      path: `${pathOf(name, what.parameter)}${what.query === undefined ? '' : `?${what.query}`}`,
      ...(what.body === undefined ? {} : { body: what.body }),
      ...(onBehalfOf === undefined ? {} : { headers: { [onBehalfOfHeader]: behalfOf(onBehalfOf) } }),
    };
    return exchange(connection, ask, (value) => schema.parse(value), { withinMs, signal });
  };
  return {
    health: (asked) => call('health', answers.health, asked),
    status: (asked) => call('status', answers.status, asked),
    why: (asked) => call('why', answers.why, asked),
    doctor: (asked) => call('doctor', answers.doctor, asked, { usuallyMs: patienceFor('doctor') }),
    spec: (asked) => call('spec', answers.spec, asked),
    apply: (body, asked) => call('apply', answers.apply, asked, { body, usuallyMs: patienceFor('apply') }),
    async events(after, asked) {
      const ask = { method: routes.events.method, path: `${routes.events.path}?after=${after}` };
      const events = await exchangeLines(connection, ask, parseEvent, { withinMs: usualMs, ...asked });
      return events.flatMap((event) => event ?? []);
    },
    topology: (asked) => {
      const ask = { method: routes.topology.method, path: routes.topology.path };
      return exchange(connection, ask, parseTopologyMessage, { withinMs: usualMs, ...asked });
    },
    async report(body, asked) {
      await call('report', answers.done, asked, { body, parameter: body.node });
    },
    switchover: (body, asked) =>
      call('switchover', answers.switchover, asked, { body, usuallyMs: patienceFor('switchover') }),
    operation: (asked) => call('operation', answers.operation, asked),
    cancel: (parameter, asked) => call('cancel', answers.cancel, asked, { parameter }),
    failover: (body, asked) => call('failover', answers.failover, asked, { body }),
    readOnly: (body, asked) => call('readOnly', answers.readOnly, asked, { body }),
    handsOff: (body, asked) => call('handsOff', answers.handsOff, asked, { body }),
    credentials: (asked) => call('credentials', answers.credentials, asked),
    rotateCredentials: (body, asked) => call('rotateCredentials', answers.rotateCredentials, asked, { body }),
    databases: (asked) => call('databases', answers.databases, asked),
    revertDatabases: (body, asked) =>
      call('revertDatabases', answers.revertDatabases, asked, { body, usuallyMs: patienceFor('revertDatabases') }),
    dropDatabase: (body, asked) =>
      call('dropDatabase', answers.dropDatabase, asked, { body, usuallyMs: patienceFor('dropDatabase') }),
    receipts: (asked) => call('receipts', answers.receipts, asked),
    receipt: (parameter, asked) => call('receipt', answers.receipt, asked, { parameter }),
    lost: (asked) => call('lost', answers.lost, asked),
    async checkpoint(asked) {
      await call('checkpoint', answers.done, asked, { usuallyMs: patienceFor('checkpoint') });
    },
    promise: (body, asked) => call('promise', answers.promise, asked, { body }),
    lastWords: (body, asked) => call('lastWords', answers.lastWords, asked, { body }),
    async certificate(wishes, asked) {
      const usuallyMs = patienceFor('certificate');
      return (await call('certificate', answers.certificate, asked, { body: { wishes }, usuallyMs })).issued;
    },
    orderToken: (body, asked) => call('token', answers.token, asked, { body }),
    certifyPerson: (body, asked) => call('person', answers.person, asked, { body, usuallyMs: patienceFor('person') }),
    certificates: (asked) => call('certificates', answers.certificates, asked),
    trust: (asked) => call('trust', answers.trust, asked),
    stateTrust: (body, asked) => call('stateTrust', answers.stateTrust, asked, { body }),
    registered: (asked) => call('registered', answers.registered, asked),
    registerCertificate: (body, asked) => call('registerCertificate', answers.registerCertificate, asked, { body }),
    forgetCertificate: (body, asked) => call('forgetCertificate', answers.forgetCertificate, asked, { body }),
    authority: (asked) => call('authority', answers.authority, asked),
    renewAuthority: (body, asked) =>
      call('renewAuthority', answers.renewAuthority, asked, { body, usuallyMs: patienceFor('renewAuthority') }),
    revokeCertificates: (body, asked) => call('revokeCertificates', answers.revokeCertificates, asked, { body }),
    acceptAudit: async (body, asked) => void (await call('acceptAudit', answers.acceptAudit, asked, { body })),
    audit: (asked) => call('audit', answers.audit, asked),
    auditAnchors: (asked) => call('auditAnchors', answers.auditAnchors, asked),
    auditFile(file, offset, asked) {
      const ask = { method: routes.auditFile.method, path: `${pathOf('auditFile', file)}?offset=${offset}` };
      return exchange(connection, ask, (value) => answers.auditFile.parse(value), { withinMs: usualMs, ...asked });
    },
    backups: (asked, seen) =>
      call('backups', answers.backups, asked, seen === undefined ? {} : { query: `seen=${seen}` }),
    orderBackup: (body, asked) => call('orderBackup', answers.orderBackup, asked, { body }),
    cancelBackup: (body, asked) => call('cancelBackup', answers.cancelBackup, asked, { body }),
    async backupPassage(version, asked) {
      const { method, path } = routes.backupPassage;
      const ask = { method, path: `${path}?version=${encodeURIComponent(version)}` };
      const withinMs = patienceFor('backupPassage');
      const pathIn = (headers: IncomingHttpHeaders) => answers.backupPassage.parse(headers[dataDirectoryHeader]);
      const { said, socket } = await handOver(connection, ask, passageProtocol, pathIn, { withinMs, ...asked });
      return { connection: socket, dataDirectory: said };
    },
    giveRepositorySecret: (body, asked) => call('repositorySecret', answers.repositorySecret, asked, { body }),
    reinit: (body = {}, asked) => call('reinit', answers.reinit, asked, { body }),
    restart: (body = {}, asked) => call('restart', answers.restart, asked, { body }),
    followTopology(onMessage, signal) {
      const ask = { method: routes.topologyStream.method, path: routes.topologyStream.path };
      return follow(connection, ask, parseTopologyMessage, onMessage, { silenceMs, signal });
    },
    followEvents(after, onEvent, signal) {
      const ask = { method: routes.events.method, path: `${routes.events.path}?after=${after}&follow=true` };
      const pass = (event: EventRecord | null): void => {
        if (event !== null) onEvent(event);
      };
      return follow(connection, ask, parseEvent, pass, { silenceMs, signal });
    },
    close: () => connection.close(),
  };
}

function pathOf(name: RouteName, parameter: string | undefined): string {
  const { path } = routes[name];
  return parameter === undefined ? path : path.replace(/:\w+/, () => encodeURIComponent(parameter));
}
