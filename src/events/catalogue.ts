/**
 * Every event that the product reports, with its severity and its sentence. docs/events.md is held against this table
 * by a test; logs, `understudy events` and the receipts subscribe to these and to nothing else.
 */
export type Severity = 'info' | 'notice' | 'warning' | 'alarm';
export type EventFacts = Readonly<Record<string, string | number | boolean | null>>;

interface EventEntry {
  readonly severity: Severity;
  /** `{name}` stands for a fact. */
  readonly sentence: string;
}

export const eventCatalogue = {
  'agent.started': { severity: 'info', sentence: 'agent {version} started on {node}' },
  'lease.taken': { severity: 'notice', sentence: '{node} holds the lease, term {term}' },
  'failover.cut_off': { severity: 'alarm', sentence: '{node} has cut itself off for term {term}' },
  'failover.last_words': { severity: 'notice', sentence: '{node} took {bytes} B of WAL from the disk of {from}' },
  'failover.ballot': { severity: 'notice', sentence: '{node} is at {lsn} of timeline {timeline}, for term {term}' },
  'failover.loss_accepted': {
    severity: 'alarm',
    sentence:
      '{node} takes term {term} with a loss that {by} accepted: at least {lacksBytes} B, and whatever else was committed after {forkLsn}',
  },
  'failover.remote_write_unsure': {
    severity: 'warning',
    sentence:
      '{nodes} had booted again before the election of {node} for term {term}: commits acknowledged with remote_write may be gone',
  },
  'failover.decided': { severity: 'alarm', sentence: '{node} is elected and holds the lease, term {term}' },
  'lease.next_term': { severity: 'notice', sentence: '{node} goes on in term {term}: standbys had cut off the last' },
  'durability.changed': { severity: 'notice', sentence: 'replicated commits wait for {set}' },
  'durability.degraded': {
    severity: 'alarm',
    sentence: 'too few standbys are there: as declared, replicated commits of {node} go on with {set}',
  },
  'durability.restored': { severity: 'notice', sentence: 'replicated commits of {node} wait for {set} again' },
  'lease.lost': {
    severity: 'alarm',
    sentence: '{to} was elected although the agent of {node} lived: it could not renew the lease of term {term}',
  },
  'lease.released': { severity: 'notice', sentence: '{node} released the lease of term {term} to {to}' },
  'postgres.initialised': { severity: 'notice', sentence: '{node} initialised a new cluster' },
  'postgres.started': { severity: 'info', sentence: 'PostgreSQL on {node} runs as {role}' },
  'postgres.stopped': { severity: 'notice', sentence: 'PostgreSQL on {node} stopped: {because}' },
  'postgres.crashed': { severity: 'alarm', sentence: 'PostgreSQL on {node} ended as primary without a shutdown' },
  'disk.full': { severity: 'alarm', sentence: '{node} has {freeBytes} B of disk left: its primary moves to {to}' },
  'backup.ordered': { severity: 'info', sentence: '{run}: {work} was ordered of {node} by {by}' },
  'backup.done': { severity: 'notice', sentence: '{run}: {work} on {node} is done: {outcome}' },
  'backup.failed': { severity: 'alarm', sentence: '{run}: {work} on {node} failed: {outcome}' },
  'backup.cancelled': { severity: 'notice', sentence: '{run}: {work} on {node} was cancelled by {by}' },
  'proof.done': { severity: 'notice', sentence: '{run}: {node} has proven that backups can be restored: {outcome}' },
  'proof.failed': {
    severity: 'alarm',
    sentence: '{run}: {node} could not prove that backups can be restored: {outcome}',
  },
  'backup.secret_given': { severity: 'notice', sentence: '{by} gave the secret of the repository, sealed to {nodes}' },
  'archive.stalled': {
    severity: 'alarm',
    sentence: '{node} has archived no WAL for more than a minute and keeps it: {segment} fails, {waiting} files wait',
  },
  'archive.resumed': {
    severity: 'notice',
    sentence: '{node} archives its WAL again, which it could not since {since}',
  },
  'repository.unreachable': {
    severity: 'alarm',
    sentence: '{node} can put nothing into the repository of backups, and keeps its WAL: {because}',
  },
  'repository.reached': { severity: 'notice', sentence: '{node} reaches the repository of backups again' },
  'postgres.promoted': { severity: 'notice', sentence: '{node} accepts writes, term {term}, timeline {timeline}' },
  'cluster.taken_back': {
    severity: 'alarm',
    sentence: '{node} took the whole cluster back to {target}: timeline {timeline}, from {lsn} on',
  },
  'postgres.cloned': { severity: 'notice', sentence: '{node} was cloned from {from}' },
  'postgres.base_failed': {
    severity: 'warning',
    sentence: '{node} could not take its base from the backups, and copies {from}: {because}',
  },
  'postgres.clone_failed': { severity: 'warning', sentence: 'cloning {node} failed: {because}' },
  'postgres.rewound': { severity: 'notice', sentence: '{node} was rewound to {from}' },
  'postgres.rewind_failed': { severity: 'warning', sentence: 'rewinding {node} failed: {because}' },
  'divergence.rescued': {
    severity: 'alarm',
    sentence:
      '{node} had committed {transactions} transactions alone ({rows} rows) past {lsn} of timeline {timeline}; {bytes} B of WAL are kept: understudy lost',
  },
  'divergence.harmless': {
    severity: 'notice',
    sentence: '{node} had WAL past {lsn} of timeline {timeline}, without a committed transaction; {bytes} B are kept',
  },
  'divergence.not_kept': {
    severity: 'alarm',
    sentence: 'not all of the WAL that diverged on {node} is kept: {because}',
  },
  'divergence.removed': {
    severity: 'warning',
    sentence: '{node} removed {bytes} B of WAL of an earlier divergence ({divergence}): {because}',
  },
  'standby.follows': { severity: 'info', sentence: '{node} follows {upstream}' },
  'spec.applied': { severity: 'notice', sentence: 'spec revision {revision} applied by {by}' },
  'switchover.started': {
    severity: 'notice',
    sentence: 'switchover {operation} from {from} to {to} began, asked by {by}',
  },
  'switchover.stopped': { severity: 'info', sentence: '{from} stopped at {lsn} for switchover {operation}' },
  'switchover.handed_over': { severity: 'info', sentence: '{to} took term {term} in switchover {operation}' },
  'switchover.finished': {
    severity: 'notice',
    sentence: 'switchover {operation}: {to} is primary, writes waited {pauseMs} ms',
  },
  'switchover.undone': { severity: 'warning', sentence: 'switchover {operation} undone: {reason} {detail}' },
  'pooler.reported': { severity: 'info', sentence: 'pooler on {node} is {state}' },
  'pooler.configured': {
    severity: 'info',
    sentence: 'pooler on {node} sends writes to {primary}, term {term}: {because}',
  },
  'pooler.pausing': { severity: 'info', sentence: 'pooler on {node} pauses for {operation}' },
  'pooler.paused': { severity: 'info', sentence: 'pooler on {node} drained in {drainMs} ms for {operation}' },
  'pooler.held': { severity: 'warning', sentence: 'pooler on {node} makes writers wait: {because}' },
  'pooler.resumed': {
    severity: 'info',
    sentence: 'pooler on {node} resumed towards {primary} after {pausedMs} ms: {because}',
  },
  'pooler.abandoned': {
    severity: 'warning',
    sentence: 'pooler on {node} let go of {connections} connections that {primary} answered no more',
  },
  'pooler.pause_failed': {
    severity: 'warning',
    sentence: 'pooler on {node} could not pause for {operation}: {because}',
  },
  'pooler.lost': { severity: 'warning', sentence: 'pooler on {node} is gone' },
  'credential.ordered': { severity: 'notice', sentence: '{by} ordered another credential of {application} on {node}' },
  'credential.issued': {
    severity: 'info',
    sentence: '{application} has credential {generation} on {node}: {because}',
  },
  'client_password.ordered': {
    severity: 'notice',
    sentence: '{by} ordered another password for {application} at the pooler of {node}',
  },
  'client_password.told': {
    severity: 'info',
    sentence: 'files of {application} on {node} have its password {generation}; the one before is good until the next',
  },
  'credential.closed': { severity: 'info', sentence: 'the login {role} is closed' },
  'read_only.began': { severity: 'warning', sentence: '{by} ordered that nobody may write: {reason}' },
  'read_only.ended': { severity: 'notice', sentence: '{by} ended read-only: writes go on' },
  'hands_off.began': { severity: 'warning', sentence: '{by} took the automation off for {minutes} min' },
  'hands_off.ended': { severity: 'notice', sentence: 'the automation acts again: {because}' },
  'certificate.renewed': { severity: 'info', sentence: '{node} renewed its certificates: {purposes}' },
  'certificate.not_renewed': { severity: 'warning', sentence: '{node} could not renew its certificates: {because}' },
  'authority.renewed': { severity: 'notice', sentence: '{by} brought a new issuing authority, good until {endsAt}' },
  'trust.stated': {
    severity: 'warning',
    sentence: '{by} brought statement {number} of the authority: {roots} roots are to be trusted',
  },
  'trust.taken': { severity: 'info', sentence: '{node} goes by statement {number} of the roots' },
  'trust.refused': { severity: 'alarm', sentence: '{node} does not take over what is said of the roots: {because}' },
  'certificate.registered': {
    severity: 'info',
    sentence: '{by} registered the certificate {certificate}, which ends at {endsAt}',
  },
  'certificate.forgotten': {
    severity: 'info',
    sentence: '{by} had the registered certificate {certificate} forgotten',
  },
  'certificate.revoked': { severity: 'warning', sentence: '{by} revoked the certificate {serial} of {holder}' },
  'enrolment.ordered': { severity: 'notice', sentence: '{by} ordered a token by which {node} may enrol as {role}' },
  'node.enrolled': { severity: 'notice', sentence: '{node} has enrolled as {role}, by a token of {by}' },
  'person.certified': { severity: 'notice', sentence: '{by} had a certificate issued to the {role} {name}' },
  'database.reverted': { severity: 'notice', sentence: '{by} had made as declared again: {what}' },
  'database.dropped': { severity: 'warning', sentence: '{by} dropped the database {database} with its data' },
  'certificate.placed': { severity: 'info', sentence: '{node} put a new certificate of {certificate} in place' },
  'certificate.not_placed': {
    severity: 'warning',
    sentence: '{node} has no new certificate of {certificate}: {because}',
  },
  'certificate.reload_failed': {
    severity: 'warning',
    sentence: 'on {node} nobody took up the new certificate of {certificate}: {because}',
  },
  'certificate.withdrawn': { severity: 'info', sentence: '{node} took away the files of {certificate}' },
  'certificate.not_withdrawn': {
    severity: 'warning',
    sentence: '{node} could not take away the files of {certificate}: {because}',
  },
  'request.accepted': { severity: 'notice', sentence: '{by} asked {node} for {what}' },
  'audit.unwritable': { severity: 'alarm', sentence: 'the audit log of {node} can not be written: {because}' },
  'audit.writable': {
    severity: 'notice',
    sentence: 'the audit log of {node} is written again; {missed} lines are lost',
  },
  'audit.healed': {
    severity: 'warning',
    sentence: 'the audit log of {node} ended in {bytes} B of a line that a crash had cut short',
  },
  'audit.contradicted': {
    severity: 'alarm',
    sentence: 'the audit log of {node} is not the one that {by} knew at line {sequence}: understudy audit verify',
  },
  'action.failed': { severity: 'warning', sentence: '{node} could not {action}: {because}' },
} as const satisfies Record<string, EventEntry>;

export type EventName = keyof typeof eventCatalogue;

export const isEventName = (name: string): name is EventName => Object.hasOwn(eventCatalogue, name);
export const eventNames: readonly EventName[] = Object.keys(eventCatalogue).filter(isEventName);

export interface EventRecord {
  /** Grows by one with each event of the cluster. */
  readonly sequence: number;
  readonly at: string;
  readonly node: string;
  readonly name: EventName;
  readonly facts: EventFacts;
}

export function eventSentence(event: Pick<EventRecord, 'name' | 'facts'>): string {
  return eventCatalogue[event.name].sentence.replace(/\{(\w+)\}/g, (_, fact: string) =>
    String(event.facts[fact] ?? '?'),
  );
}
