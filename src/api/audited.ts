/**
 * What of a request goes to the audit log: who came, what was ordered and what became of it, and who was refused.
 *
 * Invariant: an order stands in the log before it is begun, and its end after it; what only asks does not. Nothing of a
 * request is recorded that its schema has not passed, but its method and path.
 */
import { createHash } from 'node:crypto';
import { type AuditKind, isLimited } from '../audit/catalogue.ts';
import type { AuditFacts, AuditWho } from '../audit/line.ts';
import type { AuditTrail } from '../audit/trail.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Caller, Peer } from './caller.ts';
import type { RouteName, routes } from './contract/routes.ts';
import { operationId } from './schemas/queries.ts';
import { requests } from './schemas/requests.ts';

interface Order {
  readonly kind: AuditKind;
  readonly facts: AuditFacts;
}

type Reading = (body: unknown, parameters: readonly string[]) => Order | null;

/** What a person can change anything by. */
type OrderRoute = {
  [Name in RouteName]: (typeof routes)[Name] extends { method: 'POST'; who: readonly (infer Who)[] }
    ? 'operator' extends Who
      ? Name
      : never
    : never;
}[RouteName];

/** `null`: this very request only asks. */
const readings: Record<OrderRoute | 'certificate', Reading> = {
  apply(body) {
    const { baseRevision, spec } = requests.apply.parse(body);
    const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex');
    return { kind: 'order.apply', facts: { baseRevision, digest } };
  },
  switchover(body) {
    const { dryRun, to, without, forceAfterMs } = requests.switchover.parse(body);
    if (dryRun) return null;
    return { kind: 'order.switchover', facts: { to: to ?? 'the best', without: without.join(' '), forceAfterMs } };
  },
  cancel: (_, [operation]) => ({ kind: 'order.cancel', facts: { operation: operationId.parse(operation) } }),
  failover(body) {
    const { accept, to } = requests.failover.parse(body);
    if (accept === null) return null;
    const { atLeastBytes, covers, term } = accept;
    return { kind: 'order.failover', facts: { to: to ?? 'the best', term, covers, atLeastBytes } };
  },
  readOnly(body) {
    const { on, reason } = requests.readOnly.parse(body);
    return { kind: 'order.read_only', facts: { on: on ? 'on' : 'off', reason } };
  },
  handsOff: (body) => ({ kind: 'order.hands_off', facts: { forMs: requests.handsOff.parse(body).forMs ?? 0 } }),
  rotateCredentials(body) {
    const { application, node, what } = requests.rotateCredentials.parse(body);
    const kind = what === 'login' ? 'order.rotation' : 'order.client_passwords';
    return { kind, facts: { application: application ?? 'all', on: node ?? 'every node' } };
  },
  renewAuthority: (body) => ({
    kind: 'order.authority',
    facts: {
      nodes: requests.renewAuthority
        .parse(body)
        .sealed.map(({ node }) => node)
        .join(' '),
    },
  }),
  stateTrust(body) {
    const { document, number } = requests.stateTrust.parse(body);
    const digest = createHash('sha256').update(document).digest('hex');
    return { kind: 'order.trust', facts: { number, digest } };
  },
  registerCertificate(body) {
    const { certificatePem, name, where } = requests.registerCertificate.parse(body);
    const digest = createHash('sha256').update(certificatePem).digest('hex');
    return { kind: 'order.register', facts: { certificate: name ?? 'by its host name', where, digest } };
  },
  forgetCertificate: (body) => ({
    kind: 'order.forget',
    facts: { certificate: requests.forgetCertificate.parse(body).name },
  }),
  revokeCertificates(body) {
    const { target } = requests.revokeCertificates.parse(body);
    const whose = target.of === 'serial' ? target.serial : target.name;
    return { kind: 'order.revocation', facts: { of: `${target.of} ${whose}` } };
  },
  revertDatabases(body) {
    return { kind: 'order.revert', facts: { what: requests.revertDatabases.parse(body).name ?? 'everything' } };
  },
  dropDatabase: (body) => ({ kind: 'order.drop', facts: { database: requests.dropDatabase.parse(body).name } }),
  acceptAudit(body) {
    const { node, sequence } = requests.acceptAudit.parse(body);
    return { kind: 'order.acceptance', facts: { of: node, sequence } };
  },
  certificate(body) {
    const { wishes } = requests.certificate.parse(body);
    return {
      kind: 'order.certificate',
      facts: {
        purposes: wishes.map(({ name, purpose }) => (name === undefined ? purpose : `${purpose}:${name}`)).join(' '),
      },
    };
  },
  token(body) {
    const { forMs, node, role } = requests.token.parse(body);
    const minutes = Math.round(forMs / 60_000);
    return { kind: 'order.token', facts: { node, role: role ?? 'whatever it is declared as', minutes } };
  },
  person(body) {
    const { lifeMs, name, role } = requests.person.parse(body);
    return { kind: 'order.person', facts: { role, name, days: Math.round(lifeMs / 86_400_000) } };
  },
  orderBackup(body) {
    const { moment, node, work } = requests.orderBackup.parse(body);
    const named = { ...(node === undefined ? {} : { node }), ...(moment === undefined ? {} : { moment }) };
    return { kind: 'order.backup', facts: { work, ...named } };
  },
  cancelBackup: (body) => ({ kind: 'order.backup_cancel', facts: { run: requests.cancelBackup.parse(body).run } }),
  // Nothing of the secret itself.
  repositorySecret(body) {
    const { credentials, passphrase, replaces } = requests.repositorySecret.parse(body);
    const what = passphrase === null ? 'credentials' : 'credentials and passphrase';
    return { kind: 'order.repository_secret', facts: { what, place: credentials.kind, replaces } };
  },
  reinit(body) {
    const { from } = requests.reinit.parse(body) ?? {};
    return { kind: 'order.reinit', facts: from === undefined ? {} : { from } };
  },
  restart(body) {
    const { stopsWrites = false } = requests.restart.parse(body) ?? {};
    return { kind: 'order.restart', facts: stopsWrites ? { stopsWrites } : {} };
  },
};

const orders: Partial<Record<RouteName, Reading>> = readings;

/** Carries the request out, with an order's beginning and end recorded. Throws what `work` throws, and REQUEST_INVALID. */
export async function audited<T>(
  trail: AuditTrail,
  route: RouteName,
  request: { readonly body: unknown; readonly parameters: readonly string[]; readonly who: AuditWho },
  work: () => Promise<T>,
): Promise<T> {
  const { body, parameters, who } = request;
  const order = orders[route]?.(body, parameters) ?? null;
  if (order === null) return await work();
  const line = trail.record(order.kind, who, order.facts);
  const ended = (outcome: string, because: string): void => {
    // It came too often to be told by itself, and so does its end.
    if (line === null && isLimited(order.kind)) return;
    trail.record('order.ended', who, { order: line, what: order.kind, outcome, because });
  };
  try {
    const value = await work();
    ended(...outcomeOf(value));
    return value;
  } catch (error) {
    ended(isUnderstudyError(error) ? error.code : 'failed', describeError(error));
    throw error;
  }
}

/** In the words that the answer has for it. */
function outcomeOf(value: unknown): [outcome: string, because: string] {
  if (typeof value !== 'object' || value === null) return ['done', ''];
  if ('accepted' in value && 'because' in value)
    return [value.accepted === true ? 'accepted' : 'refused', String(value.because)];
  if ('outcome' in value) return [String(value.outcome), 'operation' in value ? String(value.operation) : ''];
  return ['done', 'revision' in value ? `revision ${String(value.revision)}` : ''];
}

export function whoCalls({ identity, orderer }: Caller, peer: Peer): AuditWho {
  const { kind, name } = orderer;
  if (kind === 'agent') return whoIs(peer);
  if (identity.kind !== 'node') return whoIs(peer);
  return { ...whoIs(peer), as: `${kind}/${name}`, via: `node/${identity.name}` };
}

/** By the certificate alone. */
export function whoIs({ address, reading, serial }: Peer): AuditWho {
  const as = reading.recognised ? `${reading.identity.kind}/${reading.identity.name}` : 'nobody known';
  return { as, from: address, serial };
}
