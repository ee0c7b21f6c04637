/**
 * The store's content, parsed: folded from one whole reading and the changes after it. Pure.
 *
 * Invariants: a change older than what the image has of that key is ignored, so that an agent's own writes and the
 * watch may arrive in either order; only what changed is parsed again; a value that does not pass its schema counts as
 * unknown and its key is listed.
 */

import type { AcceptedLoss } from '../core/accepted-loss.ts';
import type { AuditAnchor } from '../core/audit-anchor.ts';
import type { AuthorityRecord } from '../core/authority.ts';
import type { Ballot } from '../core/ballot.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import type { ClusterRecord, MemberStatus, ReadOnlyOrder, SpecRecord, Stored } from '../core/cluster-view.ts';
import type { CredentialRecord, CredentialRecords } from '../core/credential.ts';
import { credentialName } from '../core/credential.ts';
import type { DurabilityRecord } from '../core/durability.ts';
import type { EnrolmentToken } from '../core/enrolment.ts';
import type { HandsOff } from '../core/hands-off.ts';
import type { Lease, Renewal } from '../core/lease.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { Receipt } from '../core/receipt.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { RevocationListRecord, RevocationRecord } from '../core/revocation.ts';
import type { SealingRecord } from '../core/sealing-record.ts';
import type { NodeName } from '../core/spec.ts';
import type { TimelineRecord } from '../core/timelines.ts';
import type { TrustRecord } from '../core/trust-record.ts';
import type { EventRecord } from '../events/catalogue.ts';
import type { StoreChange, StoreSnapshot, StoreWrite } from '../ports/store.ts';
import { decodeRecord, type RecordKind, type Records } from './codecs.ts';
import {
  auditPrefix,
  ballotPrefix,
  certificatePrefix,
  eventPrefix,
  keys,
  memberPrefix,
  parseCredentialKey,
  poolerPrefix,
  receiptPrefix,
  registeredPrefix,
  revocationListPrefix,
  revocationPrefix,
  sealingPrefix,
  secretPrefix,
  timelinePrefix,
  tokenPrefix,
  trustingPrefix,
} from './keys.ts';

type Read<T> = Stored<T> | null | 'unreadable';

export interface StoreImage {
  /** The newest revision that is part of it. */
  readonly revision: number;
  readonly spec: Stored<SpecRecord> | null;
  readonly cluster: Stored<ClusterRecord> | null;
  readonly lease: Stored<Lease> | null;
  readonly renewal: Stored<Renewal> | null;
  readonly operation: Stored<Operation> | null;
  readonly durability: Stored<DurabilityRecord> | null;
  readonly handsOff: Stored<HandsOff> | null;
  readonly readOnly: Stored<ReadOnlyOrder> | null;
  readonly acceptedLoss: Stored<AcceptedLoss> | null;
  /** The issuing authority in use, not yet verified. */
  readonly authority: Stored<AuthorityRecord> | null;
  /** Which roots are to be trusted, not yet verified. */
  readonly trust: Stored<TrustRecord> | null;
  /** Which statement of them each node goes by that has access to the store. */
  readonly trusting: ReadonlyMap<NodeName, Stored<Records['trusting']>>;
  /** By `term/node`. */
  readonly ballots: ReadonlyMap<string, Stored<Ballot>>;
  /** By term. */
  readonly timelines: ReadonlyMap<number, Stored<TimelineRecord>>;
  readonly members: ReadonlyMap<NodeName, Stored<MemberStatus>>;
  readonly poolers: ReadonlyMap<NodeName, Stored<PoolerReport>>;
  /** Sealing certificates, not yet verified. */
  readonly sealing: ReadonlyMap<NodeName, Stored<SealingRecord>>;
  /** Sealed texts as they stand there, by `node/name`: only whom they are for can tell whether they are whole. */
  readonly secrets: ReadonlyMap<string, Stored<string>>;
  /** By serial number. */
  readonly certificates: ReadonlyMap<string, Stored<CertificateRecord>>;
  /** Of others, by the name that they were registered under. */
  readonly registered: ReadonlyMap<string, Stored<RegisteredCertificate>>;
  /** By serial number. */
  readonly revocations: ReadonlyMap<string, Stored<RevocationRecord>>;
  /** By the authority's serial number; not yet verified. */
  readonly revocationLists: ReadonlyMap<string, Stored<RevocationListRecord>>;
  /** By which nodes may enrol. */
  readonly tokens: ReadonlyMap<NodeName, Stored<EnrolmentToken>>;
  readonly audits: ReadonlyMap<NodeName, Stored<AuditAnchor>>;
  readonly credentials: CredentialRecords;
  /** Oldest first. */
  readonly events: readonly EventRecord[];
  readonly receipts: readonly Receipt[];
  readonly unreadable: readonly string[];
  /** Each key's last change, removals included. */
  readonly changed: ReadonlyMap<string, number>;
  /** Those of them that are gone. */
  readonly removed: ReadonlySet<string>;
}

/** Nothing that arrives out of order is this many revisions late; without an end, removed events would pile up. */
const removalsKeptFor = 1_000;

export function emptyImage(): StoreImage {
  return {
    revision: 0,
    spec: null,
    cluster: null,
    lease: null,
    renewal: null,
    operation: null,
    durability: null,
    handsOff: null,
    readOnly: null,
    acceptedLoss: null,
    authority: null,
    trust: null,
    trusting: new Map(),
    ballots: new Map(),
    timelines: new Map(),
    members: new Map(),
    poolers: new Map(),
    audits: new Map(),
    sealing: new Map(),
    secrets: new Map(),
    certificates: new Map(),
    registered: new Map(),
    revocations: new Map(),
    revocationLists: new Map(),
    tokens: new Map(),
    credentials: new Map(),
    events: [],
    receipts: [],
    unreadable: [],
    changed: new Map(),
    removed: new Set(),
  };
}

export function imageOf(snapshot: StoreSnapshot): StoreImage {
  const changes = [...snapshot.entries.values()].map((entry): StoreChange => ({ kind: 'put', entry }));
  return applyChanges(emptyImage(), changes, snapshot.revision);
}

export function applyChanges(image: StoreImage, changes: readonly StoreChange[], revision: number): StoreImage {
  let next: StoreImage = image;
  const changed = new Map(image.changed);
  const removed = new Set(image.removed);
  for (const change of changes) {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    const at = change.kind === 'put' ? change.entry.revision : change.revision;
    if ((changed.get(key) ?? 0) >= at) continue;
    changed.set(key, at);
    if (change.kind === 'put') removed.delete(key);
    else removed.add(key);
    next = place(next, key, change.kind === 'put' ? change.entry.value : null, at);
  }
  const newest = Math.max(image.revision, revision);
  for (const key of removed) {
    if ((changed.get(key) ?? 0) >= newest - removalsKeptFor) continue;
    removed.delete(key);
    changed.delete(key);
  }
  return { ...next, revision: newest, changed, removed };
}

/** This agent's own committed transaction. */
export function applyWrites(image: StoreImage, writes: readonly StoreWrite[], revision: number): StoreImage {
  const changes = writes.map(
    (write): StoreChange =>
      'remove' in write
        ? { kind: 'removed', key: write.key, revision }
        : { kind: 'put', entry: { key: write.key, value: write.value, revision } },
  );
  return applyChanges(image, changes, revision);
}

/** `value: null`: removed. A key of a newer version is none of ours. */
function place(image: StoreImage, key: string, value: string | null, revision: number): StoreImage {
  switch (key) {
    case keys.spec:
      return settle(image, key, read('spec', value, revision), (spec) => ({ spec }));
    case keys.cluster:
      return settle(image, key, read('cluster', value, revision), (cluster) => ({ cluster }));
    case keys.lease:
      return settle(image, key, read('lease', value, revision), (lease) => ({ lease }));
    case keys.renewal:
      return settle(image, key, read('renewal', value, revision), (renewal) => ({ renewal }));
    case keys.operation:
      return settle(image, key, read('operation', value, revision), (operation) => ({ operation }));
    case keys.durability:
      return settle(image, key, read('durability', value, revision), (durability) => ({ durability }));
    case keys.readOnly:
      return settle(image, key, read('readOnly', value, revision), (readOnly) => ({ readOnly }));
    case keys.handsOff:
      return settle(image, key, read('handsOff', value, revision), (handsOff) => ({ handsOff }));
    case keys.acceptedLoss:
      return settle(image, key, read('accepted-loss', value, revision), (acceptedLoss) => ({ acceptedLoss }));
    case keys.authority:
      return settle(image, key, read('authority', value, revision), (authority) => ({ authority }));
    case keys.trust:
      return settle(image, key, read('trust', value, revision), (trust) => ({ trust }));
    default:
      return placeListed(image, key, value, revision);
  }
}

function placeListed(image: StoreImage, key: string, value: string | null, revision: number): StoreImage {
  if (key.startsWith(memberPrefix)) {
    const node = key.slice(memberPrefix.length);
    const put = (member: Stored<MemberStatus> | null) => ({ members: withEntry(image.members, node, member) });
    return settle(image, key, read('member', value, revision), put);
  }
  if (key.startsWith(poolerPrefix)) {
    const node = key.slice(poolerPrefix.length);
    const put = (pooler: Stored<PoolerReport> | null) => ({ poolers: withEntry(image.poolers, node, pooler) });
    return settle(image, key, read('pooler', value, revision), put);
  }
  if (key.startsWith(sealingPrefix)) {
    const node = key.slice(sealingPrefix.length);
    const put = (sealing: Stored<SealingRecord> | null) => ({ sealing: withEntry(image.sealing, node, sealing) });
    return settle(image, key, read('sealing', value, revision), put);
  }
  const credential = parseCredentialKey(key);
  if (credential !== null) {
    const name = credentialName(credential.node, credential.application);
    const put = (record: Stored<CredentialRecord> | null) => ({
      credentials: withEntry(image.credentials, name, record),
    });
    return settle(image, key, read('credential', value, revision), put);
  }
  if (key.startsWith(secretPrefix)) {
    const place = key.slice(secretPrefix.length);
    const stored = value === null ? null : { value, revision };
    return settle(image, key, stored, (secret) => ({ secrets: withEntry(image.secrets, place, secret) }));
  }
  if (key.startsWith(certificatePrefix)) {
    const serial = key.slice(certificatePrefix.length);
    const put = (certificate: Stored<CertificateRecord> | null) => ({
      certificates: withEntry(image.certificates, serial, certificate),
    });
    return settle(image, key, read('certificate', value, revision), put);
  }
  if (key.startsWith(trustingPrefix)) {
    const node = key.slice(trustingPrefix.length);
    const put = (one: Stored<Records['trusting']> | null) => ({ trusting: withEntry(image.trusting, node, one) });
    return settle(image, key, read('trusting', value, revision), put);
  }
  if (key.startsWith(registeredPrefix)) {
    const name = key.slice(registeredPrefix.length);
    const put = (one: Stored<RegisteredCertificate> | null) => ({ registered: withEntry(image.registered, name, one) });
    return settle(image, key, read('registered', value, revision), put);
  }
  if (key.startsWith(revocationPrefix)) {
    const serial = key.slice(revocationPrefix.length);
    const put = (revocation: Stored<RevocationRecord> | null) => ({
      revocations: withEntry(image.revocations, serial, revocation),
    });
    return settle(image, key, read('revocation', value, revision), put);
  }
  if (key.startsWith(revocationListPrefix)) {
    const serial = key.slice(revocationListPrefix.length);
    const put = (list: Stored<RevocationListRecord> | null) => ({
      revocationLists: withEntry(image.revocationLists, serial, list),
    });
    return settle(image, key, read('revocation-list', value, revision), put);
  }
  if (key.startsWith(tokenPrefix)) {
    const node = key.slice(tokenPrefix.length);
    const put = (token: Stored<EnrolmentToken> | null) => ({ tokens: withEntry(image.tokens, node, token) });
    return settle(image, key, read('token', value, revision), put);
  }
  if (key.startsWith(auditPrefix)) {
    const node = key.slice(auditPrefix.length);
    const put = (audit: Stored<AuditAnchor> | null) => ({ audits: withEntry(image.audits, node, audit) });
    return settle(image, key, read('audit', value, revision), put);
  }
  if (key.startsWith(ballotPrefix)) {
    const name = key.slice(ballotPrefix.length);
    const put = (ballot: Stored<Ballot> | null) => ({ ballots: withEntry(image.ballots, name, ballot) });
    return settle(image, key, read('ballot', value, revision), put);
  }
  if (key.startsWith(timelinePrefix)) {
    const term = Number(key.slice(timelinePrefix.length));
    const put = (timeline: Stored<TimelineRecord> | null) => ({
      timelines: withEntry(image.timelines, term, timeline),
    });
    return settle(image, key, read('timeline', value, revision), put);
  }
  if (key.startsWith(eventPrefix)) {
    const sequence = Number(key.slice(eventPrefix.length));
    const others = image.events.filter((event) => event.sequence !== sequence);
    const event = read('event', value, revision);
    // An event that only a newer version knows is left out; nothing is decided by it.
    const known = event === 'unreadable' ? null : event;
    return settle(image, key, known, (stored) => ({
      events: sorted(others, stored?.value ?? null, (e) => e.sequence),
    }));
  }
  if (key.startsWith(receiptPrefix)) {
    const id = key.slice(receiptPrefix.length);
    const others = image.receipts.filter((receipt) => receipt.id !== id);
    const put = (receipt: Stored<Receipt> | null) => ({
      receipts: sorted(others, receipt?.value ?? null, (r) => r.id),
    });
    return settle(image, key, read('receipt', value, revision), put);
  }
  return image;
}

function read<K extends RecordKind>(kind: K, value: string | null, revision: number): Read<Records[K]> {
  if (value === null) return null;
  const decoded = decodeRecord(kind, value);
  return decoded.ok ? { value: decoded.value, revision } : 'unreadable';
}

/** Unreadable counts as unknown: the place is emptied, and the key listed until it is readable or gone. */
function settle<T>(
  image: StoreImage,
  key: string,
  value: Read<T>,
  put: (value: Stored<T> | null) => Partial<StoreImage>,
): StoreImage {
  const others = image.unreadable.filter((other) => other !== key);
  if (value === 'unreadable') return { ...image, ...put(null), unreadable: [...others, key] };
  return { ...image, ...put(value), unreadable: others };
}

function withEntry<K, T>(map: ReadonlyMap<K, T>, key: K, value: T | null): ReadonlyMap<K, T> {
  const next = new Map(map);
  if (value === null) next.delete(key);
  else next.set(key, value);
  return next;
}

function sorted<T>(others: readonly T[], added: T | null, by: (value: T) => number | string): readonly T[] {
  if (added === null) return others;
  return [...others, added].sort((a, b) => (by(a) < by(b) ? -1 : 1));
}
