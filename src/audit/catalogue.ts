/**
 * Every kind of line in the audit log, with its sentence. docs/audit.md is held against this table by a test.
 *
 * A new kind stands here and there, and is recorded with `AuditTrail.record`; or it is an event that agents report anyway:
 * then its name in `auditedEvents` is enough.
 */
import { type EventName, eventCatalogue } from '../events/catalogue.ts';

interface AuditEntry {
  /** `{name}` stands for a fact. Who did it is shown beside it. */
  readonly sentence: string;
  /** May come as often as strangers like: more than a few are counted, and told as one `counted` line. */
  readonly isLimited?: true;
}

export const auditCatalogue = {
  // the log itself
  'log.began': { sentence: 'this log began' },
  'log.healed': { sentence: 'a line of {bytes} B that a crash had cut short was removed' },
  'log.gap': { sentence: '{count} lines could not be written: {because}' },
  'log.pruned': { sentence: 'lines up to {through} were removed with {file}: the log has its limit' },
  'clock.set_back': { sentence: 'the clock was set back by {byMs} ms' },
  'anchor.seen': { sentence: 'the log of {of} had {sequence} lines' },
  'anchor.contradicted': { sentence: 'the anchor of the log of {of} went from line {from} to another line {sequence}' },
  'anchor.unmet': { sentence: 'this log lacks line {sequence} as it was anchored: it was changed' },
  'log.accepted': { sentence: 'the log of {of} was accepted as it is, up to line {sequence}' },
  counted: { sentence: '{count} more of {kind}' },
  // who came
  login: { sentence: 'logged in', isLimited: true },
  'request.refused': { sentence: 'was refused {route}: {because}', isLimited: true },
  'handshake.refused': { sentence: 'did not get past the TLS handshake: {because}', isLimited: true },
  'enrolment.refused': { sentence: 'was refused to enrol as {node}: {because}', isLimited: true },
  'enrolment.granted': { sentence: 'enrolled as {node}, by a token that {orderedBy} had ordered: {purposes}' },
  'passage.opened': { sentence: 'reached for the server and its files, for the backup {run}' },
  // orders, before they are carried out, and what became of them
  'order.apply': { sentence: 'ordered to apply a spec (SHA-256 {digest}) over revision {baseRevision}' },
  'order.switchover': { sentence: 'ordered a switchover to {to}' },
  'order.cancel': { sentence: 'ordered to undo {operation}' },
  'order.failover': { sentence: 'accepted a loss of at least {atLeastBytes} B, for a failover to {to} in term {term}' },
  'order.read_only': { sentence: 'ordered read-only {on}: {reason}' },
  'order.hands_off': { sentence: 'ordered hands off for {forMs} ms' },
  'order.client_passwords': { sentence: 'ordered other passwords of {application} at the pooler of {on}' },
  'order.rotation': { sentence: 'ordered other credentials of {application} on {on}' },
  'order.revert': { sentence: 'ordered to revert {what} in the databases' },
  'order.drop': { sentence: 'ordered to drop the database {database}' },
  'order.acceptance': { sentence: 'accepted the log of {of} as it is, up to line {sequence}' },
  'order.backup': { sentence: 'ordered {work} of the repository of backups' },
  'order.backup_cancel': { sentence: 'wanted the work {run} on the repository of backups to end' },
  'order.repository_secret': { sentence: 'gave the {what} of the repository of backups ({place})' },
  'order.reinit': { sentence: 'ordered a new clone' },
  'order.restart': { sentence: 'ordered a restart' },
  'order.certificate': { sentence: 'asked for certificates: {purposes}', isLimited: true },
  'order.authority': { sentence: 'brought a new issuing authority, sealed to {nodes}' },
  'order.trust': { sentence: 'brought statement {number} of the roots to be trusted (SHA-256 {digest})' },
  'order.register': { sentence: 'registered a certificate of others, {certificate} (SHA-256 of its text {digest})' },
  'order.forget': { sentence: 'ordered to forget the registered certificate {certificate}' },
  'order.revocation': { sentence: 'ordered to revoke the certificates of {of}' },
  'order.token': { sentence: 'ordered a token for {node} as {role}, good for {minutes} min' },
  'order.person': { sentence: 'asked for a certificate of the {role} {name}, for {days} days' },
  'order.ended': { sentence: 'the order of line {order}: {outcome} {because}' },
} as const satisfies Record<string, AuditEntry>;

/** What agents do of their own accord, or because they were ordered to. */
export const auditedEvents = [
  'agent.started',
  'lease.taken',
  'lease.released',
  'lease.lost',
  'failover.decided',
  'failover.loss_accepted',
  'postgres.initialised',
  'postgres.promoted',
  'postgres.stopped',
  'postgres.crashed',
  'postgres.cloned',
  'postgres.rewound',
  'divergence.rescued',
  'switchover.started',
  'switchover.finished',
  'switchover.undone',
  'spec.applied',
  'read_only.began',
  'read_only.ended',
  'hands_off.began',
  'hands_off.ended',
  'credential.issued',
  'credential.closed',
  'certificate.renewed',
  'certificate.not_renewed',
  'authority.renewed',
  'certificate.revoked',
  'enrolment.ordered',
  'node.enrolled',
  'person.certified',
  'trust.stated',
  'trust.taken',
  'trust.refused',
  'request.accepted',
] as const satisfies readonly EventName[];

type AuditedEvent = (typeof auditedEvents)[number];
type OwnKind = keyof typeof auditCatalogue;
export type AuditKind = OwnKind | AuditedEvent;

const isOwnKind = (kind: string): kind is OwnKind => Object.hasOwn(auditCatalogue, kind);
export const ownKinds: readonly OwnKind[] = Object.keys(auditCatalogue).filter(isOwnKind);
export const isAuditedEvent = (name: string): name is AuditedEvent => auditedEvents.some((one) => one === name);

export function isLimited(kind: AuditKind): boolean {
  const entry: AuditEntry | null = isOwnKind(kind) ? auditCatalogue[kind] : null;
  return entry?.isLimited === true;
}

/** Of a kind that only a newer version knows, its name. */
export function auditSentence(kind: string, facts: Readonly<Record<string, unknown>>): string {
  const sentence = isOwnKind(kind)
    ? auditCatalogue[kind].sentence
    : isAuditedEvent(kind)
      ? eventCatalogue[kind].sentence
      : kind;
  return sentence.replace(/\{(\w+)\}/g, (_, fact: string) => String(facts[fact] ?? '-')).trim();
}
