/**
 * One answer for each route that answers once. Nothing is decided here: a route checks what it was given and passes it on.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Caller } from './caller.ts';
import type { AgentBackend } from './contract/backend.ts';
import type { RouteName } from './contract/routes.ts';
import { auditQuery, backupsQuery, operationId } from './schemas/queries.ts';
import { requests } from './schemas/requests.ts';

export interface Call {
  readonly caller: Caller;
  readonly parameters: readonly string[];
  readonly body: unknown;
  readonly query: Readonly<Record<string, string>>;
  /** Fires when nobody waits for the answer any more: the caller has gone, or the route's time is over. */
  readonly signal: AbortSignal;
}

type Answer = (backend: AgentBackend, call: Call) => unknown;

/** Answered by streams; see serve.ts and upgrade.ts. */
export type StreamRoute = 'events' | 'topologyStream' | 'backupPassage';

export const answersByRoute: Readonly<Record<Exclude<RouteName, StreamRoute>, Answer>> = {
  health: (backend) => backend.health(),
  status: (backend) => backend.status(),
  why: (backend) => backend.why(),
  doctor: (backend) => backend.doctor(),
  spec: (backend) => backend.spec(),
  apply: (backend, { body, caller }) => backend.apply(requests.apply.parse(body), caller.by),
  topology: (backend, { caller: { identity } }) =>
    backend.topologyMessage(identity.kind === 'node' && identity.role === 'app' ? identity.name : null),
  report: takeReport,
  switchover: (backend, { body, caller, signal }) =>
    backend.switchover(requests.switchover.parse(body), caller.orderer, signal),
  operation: (backend) => backend.operation(),
  cancel: (backend, { body, caller, parameters: [id] }) => {
    requests.cancel.parse(body);
    return backend.cancel(operationId.parse(id), caller.orderer);
  },
  failover: (backend, { body, caller }) => backend.failover(requests.failover.parse(body), caller.by),
  readOnly: (backend, { body, caller }) => backend.readOnly(requests.readOnly.parse(body), caller.by),
  handsOff: (backend, { body, caller }) => backend.handsOff(requests.handsOff.parse(body), caller.by),
  credentials: (backend) => backend.credentials(),
  rotateCredentials: (backend, { body, caller }) =>
    backend.rotateCredentials(requests.rotateCredentials.parse(body), caller.by),
  databases: (backend, { signal }) => backend.databases(signal),
  revertDatabases: (backend, { body, caller, signal }) =>
    backend.revertDatabases(requests.revertDatabases.parse(body), caller.by, signal),
  dropDatabase: (backend, { body, caller, signal }) =>
    backend.dropDatabase(requests.dropDatabase.parse(body), caller.by, signal),
  receipts: (backend) => backend.receipts(),
  receipt: async (backend, { parameters: [id = ''] }) => {
    const receipt = await backend.receipt(id);
    if (receipt === null) throw new UnderstudyError('NOT_FOUND', `there is no receipt ${JSON.stringify(id)}`);
    return receipt;
  },
  lost: (backend) => backend.lost(),
  checkpoint: async (backend, { body, signal }) => {
    requests.checkpoint.parse(body);
    await backend.checkpoint(signal);
    return {};
  },
  promise: (backend, { body, caller: { identity } }) => backend.promise(requests.promise.parse(body), identity.name),
  lastWords: (backend, { body }) => backend.lastWords(requests.lastWords.parse(body)),
  certificate: async (backend, { body, caller: { identity } }) => {
    const { wishes } = requests.certificate.parse(body);
    return { issued: await backend.issue(identity.name, wishes) };
  },
  token: (backend, { body, caller }) => backend.orderToken(requests.token.parse(body), caller.by),
  person: (backend, { body, caller }) => backend.certifyPerson(requests.person.parse(body), caller.by),
  certificates: (backend) => backend.certificates(),
  trust: (backend) => backend.trust.state(),
  stateTrust: (backend, { body, caller }) => backend.trust.say(requests.stateTrust.parse(body), caller.by),
  registered: (backend) => backend.registered.all(),
  registerCertificate: (backend, { body, caller }) =>
    backend.registered.register(requests.registerCertificate.parse(body), caller.by),
  forgetCertificate: (backend, { body, caller }) =>
    backend.registered.forget(requests.forgetCertificate.parse(body).name, caller.by),
  authority: (backend) => backend.authority.state(),
  renewAuthority: (backend, { body, caller }) =>
    backend.authority.renew(requests.renewAuthority.parse(body), caller.by),
  revokeCertificates: (backend, { body, caller }) =>
    backend.revokeCertificates(requests.revokeCertificates.parse(body), caller.by),
  audit: (backend) => backend.audit.log(),
  auditAnchors: (backend) => backend.audit.anchors(),
  auditFile: (backend, { parameters: [file = ''], query }) =>
    backend.audit.read(file, auditQuery.parse(query).offset ?? 0),
  acceptAudit: async (backend, { body }) => {
    await backend.audit.accept(requests.acceptAudit.parse(body));
    return {};
  },
  backups: (backend, { query, signal }) => backend.backups.standing(backupsQuery.parse(query).seen ?? null, signal),
  orderBackup: (backend, { body, caller }) => backend.backups.order(requests.orderBackup.parse(body), caller.by),
  cancelBackup: (backend, { body, caller }) => backend.backups.cancel(requests.cancelBackup.parse(body), caller.by),
  repositorySecret: (backend, { body, caller }) =>
    backend.backups.giveSecret(requests.repositorySecret.parse(body), caller.by),
  reinit: (backend, { body, caller }) => backend.reinit(requests.reinit.parse(body) ?? {}, caller.by),
  restart: (backend, { body, caller }) => backend.restart(requests.restart.parse(body) ?? {}, caller.by),
};

/** An app node speaks for itself alone: its name in the certificate, in the path and in the report must be one. */
function takeReport(backend: AgentBackend, { body, caller: { identity }, parameters: [node] }: Call): unknown {
  const report = requests.report.parse(body);
  if (identity.name !== node || report.node !== node) {
    throw new UnderstudyError('FORBIDDEN', `${identity.name} may report for itself alone`);
  }
  backend.report(report);
  return {};
}
