/**
 * The store's content, parsed: folded from one whole reading and the changes after it. Pure.
 *
 * Invariants: a change older than what the image has of that key is ignored, so that an agent's own writes and the
 * watch may arrive in either order; only what changed is parsed again; a value that does not pass its schema counts as
 * unknown and its key is listed.
 */
import type { ClusterRecord, MemberStatus, PoolerReport, SpecRecord, Stored } from '../core/cluster-view.ts';
import type { Lease, Renewal } from '../core/lease.ts';
import type { Operation } from '../core/operation.ts';
import type { Receipt } from '../core/receipt.ts';
import type { NodeName } from '../core/spec.ts';
import type { EventRecord } from '../events/catalogue.ts';
import type { StoreChange, StoreSnapshot, StoreWrite } from '../ports/store.ts';
import { type RecordKind, type Records, decodeRecord } from './codecs.ts';
import { eventPrefix, keys, memberPrefix, poolerPrefix, receiptPrefix } from './keys.ts';

export interface StoreImage {
  /** The newest revision that is part of it. */
  readonly revision: number;
  readonly spec: Stored<SpecRecord> | null;
  readonly cluster: Stored<ClusterRecord> | null;
  readonly lease: Stored<Lease> | null;
  readonly renewal: Stored<Renewal> | null;
  readonly operation: Stored<Operation> | null;
  readonly members: ReadonlyMap<NodeName, Stored<MemberStatus>>;
  readonly poolers: ReadonlyMap<NodeName, Stored<PoolerReport>>;
  /** Oldest first. */
  readonly events: readonly EventRecord[];
  readonly receipts: readonly Receipt[];
  readonly unreadable: readonly string[];
  /** Each key's last change, removals included. */
  readonly changed: ReadonlyMap<string, number>;
}

export function emptyImage(): StoreImage {
  return {
    revision: 0,
    spec: null,
    cluster: null,
    lease: null,
    renewal: null,
    operation: null,
    members: new Map(),
    poolers: new Map(),
    events: [],
    receipts: [],
    unreadable: [],
    changed: new Map(),
  };
}

export function imageOf(snapshot: StoreSnapshot): StoreImage {
  const changes = [...snapshot.entries.values()].map((entry): StoreChange => ({ kind: 'put', entry }));
  return applyChanges(emptyImage(), changes, snapshot.revision);
}

export function applyChanges(image: StoreImage, changes: readonly StoreChange[], revision: number): StoreImage {
  let next: StoreImage = image;
  const changed = new Map(image.changed);
  for (const change of changes) {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    const at = change.kind === 'put' ? change.entry.revision : change.revision;
    if ((changed.get(key) ?? 0) >= at) continue;
    changed.set(key, at);
    next = place(next, key, change.kind === 'put' ? change.entry.value : null, at);
  }
  return { ...next, revision: Math.max(image.revision, revision), changed };
}

/** This agent's own committed transaction. */
export function applyWrites(image: StoreImage, writes: readonly StoreWrite[], revision: number): StoreImage {
  const changes = writes.map((write): StoreChange =>
    'remove' in write
      ? { kind: 'removed', key: write.key, revision }
      : { kind: 'put', entry: { key: write.key, value: write.value, revision } },
  );
  return applyChanges(image, changes, revision);
}

function place(image: StoreImage, key: string, value: string | null, revision: number): StoreImage {
  const readable = image.unreadable.includes(key) ? { ...image, unreadable: image.unreadable.filter((other) => other !== key) } : image;
  const read = <K extends RecordKind>(kind: K): Stored<Records[K]> | null | 'unreadable' => {
    if (value === null) return null;
    const decoded = decodeRecord(kind, value);
    return decoded.ok ? { value: decoded.value, revision } : 'unreadable';
  };
  const unreadable = { ...readable, unreadable: [...readable.unreadable, key] };
  if (key === keys.spec) return orUnreadable(read('spec'), (spec) => ({ ...readable, spec }), { ...unreadable, spec: null });
  if (key === keys.cluster) return orUnreadable(read('cluster'), (cluster) => ({ ...readable, cluster }), { ...unreadable, cluster: null });
  if (key === keys.lease) return orUnreadable(read('lease'), (lease) => ({ ...readable, lease }), { ...unreadable, lease: null });
  if (key === keys.renewal) return orUnreadable(read('renewal'), (renewal) => ({ ...readable, renewal }), { ...unreadable, renewal: null });
  if (key === keys.operation) return orUnreadable(read('operation'), (operation) => ({ ...readable, operation }), { ...unreadable, operation: null });
  if (key.startsWith(memberPrefix)) {
    const node = key.slice(memberPrefix.length);
    const put = (member: Stored<MemberStatus> | null) => ({ ...readable, members: withEntry(image.members, node, member) });
    return orUnreadable(read('member'), put, { ...unreadable, members: withEntry(image.members, node, null) });
  }
  if (key.startsWith(poolerPrefix)) {
    const node = key.slice(poolerPrefix.length);
    const put = (pooler: Stored<PoolerReport> | null) => ({ ...readable, poolers: withEntry(image.poolers, node, pooler) });
    return orUnreadable(read('pooler'), put, { ...unreadable, poolers: withEntry(image.poolers, node, null) });
  }
  if (key.startsWith(eventPrefix)) {
    const sequence = Number(key.slice(eventPrefix.length));
    const others = image.events.filter((event) => event.sequence !== sequence);
    const put = (event: Stored<EventRecord> | null) => ({ ...readable, events: sorted(others, event?.value ?? null, (e) => e.sequence) });
    return orUnreadable(read('event'), put, { ...readable, events: others });
  }
  if (key.startsWith(receiptPrefix)) {
    const id = key.slice(receiptPrefix.length);
    const others = image.receipts.filter((receipt) => receipt.id !== id);
    const put = (receipt: Stored<Receipt> | null) => ({ ...readable, receipts: sorted(others, receipt?.value ?? null, (r) => r.id) });
    return orUnreadable(read('receipt'), put, { ...unreadable, receipts: others });
  }
  return readable; // a newer version's key
}

function orUnreadable<T>(read: T | 'unreadable', put: (value: T) => StoreImage, unreadable: StoreImage): StoreImage {
  return read === 'unreadable' ? unreadable : put(read);
}

function withEntry<T>(map: ReadonlyMap<string, T>, key: string, value: T | null): ReadonlyMap<string, T> {
  const next = new Map(map);
  if (value === null) next.delete(key);
  else next.set(key, value);
  return next;
}

function sorted<T>(others: readonly T[], added: T | null, by: (value: T) => number | string): readonly T[] {
  if (added === null) return others;
  return [...others, added].sort((a, b) => (by(a) < by(b) ? -1 : 1));
}
