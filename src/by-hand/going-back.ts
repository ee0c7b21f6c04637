/**
 * Tells a store that its cluster goes on from an earlier moment, on one node.
 *
 * Invariants: it is one transaction, which compares what was seen while the lease stood still: whoever has renewed or taken it since makes
 * it void. The term is above every one that the store or this machine knows, by a wide step, as nodes elsewhere have bound
 * themselves to at most the next one. Nobody else's word is worth anything for what is left behind: of the durability record nothing
 * stays, so that the node itself alone elects until it has standbys again.
 */
import type { NodeFile } from '../config/node-file.ts';
import { type Lease, lastHolder, type Renewal } from '../core/lease.ts';
import type { NodeName } from '../core/spec.ts';
import type { TimelineRecord, Timelines } from '../core/timelines.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store, StoreCondition, StoreSnapshot, StoreWrite } from '../ports/store.ts';
import { decodeRecord, encodeRecord } from '../records/codecs.ts';
import { eventKey, eventPrefix, keys, timelineKey, timelinePrefix } from '../records/keys.ts';
import { storeOf, termAbove } from './new-store.ts';

const withinMs = 30_000;

/** Each with the revision at which it was seen; `absent` where it was not there. */
interface Seen<T> {
  readonly value: T | null;
  readonly revision: number | 'absent';
}

export interface StoreLook {
  readonly lease: Seen<Lease>;
  readonly renewal: Seen<Renewal>;
  readonly operation: number | 'absent';
  readonly durability: number | 'absent';
  /** `null`: it knows no cluster. */
  readonly systemIdentifier: string | null;
  readonly timelines: Timelines;
  /** The sequence of the last one; 0: there is none. */
  readonly lastEvent: number;
}

export function readLook({ entries }: StoreSnapshot): StoreLook {
  const revisionOf = (key: string): number | 'absent' => entries.get(key)?.revision ?? 'absent';
  const lease = decodeRecord('lease', entries.get(keys.lease)?.value ?? '');
  const renewal = decodeRecord('renewal', entries.get(keys.renewal)?.value ?? '');
  const cluster = decodeRecord('cluster', entries.get(keys.cluster)?.value ?? '');
  const timelines = [...entries.values()].flatMap(({ key, value }): TimelineRecord[] => {
    const record = key.startsWith(timelinePrefix) ? decodeRecord('timeline', value) : null;
    return record?.ok === true ? [record.value] : [];
  });
  return {
    lease: { value: lease.ok ? lease.value : null, revision: revisionOf(keys.lease) },
    renewal: { value: renewal.ok ? renewal.value : null, revision: revisionOf(keys.renewal) },
    operation: revisionOf(keys.operation),
    durability: revisionOf(keys.durability),
    systemIdentifier: cluster.ok ? cluster.value.systemIdentifier : null,
    timelines: new Map(timelines.map((record) => [record.term, record])),
    lastEvent: Math.max(0, ...[...entries.values()].map(({ key }) => sequenceOf(key))),
  };
}

function sequenceOf(key: string): number {
  return key.startsWith(eventPrefix) ? Number(key.slice(eventPrefix.length)) : 0;
}

/** Who moved the lease between two looks, in a few words; `null`: nobody did. */
export function movedBetween(before: StoreLook, after: StoreLook): string | null {
  const isSame = before.lease.revision === after.lease.revision && before.renewal.revision === after.renewal.revision;
  if (isSame) return null;
  const { value } = after.lease;
  return value === null ? 'the lease was removed' : `${lastHolder(value)} has moved the lease of term ${value.term}`;
}

/**
 * Who may be primary although the lease stands still, since it needs no promise of that node (core/rules/candidates.ts): one that can't
 * reach the store lives on those of the candidates that it named. `null`: nobody; a candidate whose agent has ended promises nothing.
 */
export function mayLiveWithout({ lease, renewal }: StoreLook, node: NodeName, declared: readonly NodeName[]) {
  const { value } = lease;
  if (value?.state !== 'held' || value.holder === node) return null;
  const candidates = renewal.value?.candidates ?? declared;
  return candidates.includes(node) ? null : { holder: value.holder, candidates };
}

export interface Return {
  readonly node: NodeName;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly parent: number | null;
  readonly forkLsn: string;
  /** The highest that a node of this machine has bound itself to. */
  readonly boundTerm: number;
  /** For a lease that can't be read. */
  readonly ttlMs: number;
  /** Where it was taken back to, for people. */
  readonly target: string;
  /** ISO 8601. */
  readonly at: string;
}

/** The term in which it was told before; `null`: it was not. */
export function toldTerm(
  { lease, timelines }: StoreLook,
  { node, timeline }: Pick<Return, 'node' | 'timeline'>,
): number | null {
  const { value } = lease;
  const isOurs = value?.state === 'held' && value.holder === node && timelines.get(value.term)?.timeline === timeline;
  return isOurs ? value.term : null;
}

/**
 * Is a directory on that timeline still what was recovered? The store knows no such timeline, or was told of it. One that it knows by
 * somebody else is the cluster's: an agent ran in between, and has brought the node in line again.
 */
export function isAsRecovered(look: StoreLook, wish: Pick<Return, 'node' | 'timeline'>): boolean {
  const known = [...look.timelines.values()].map(({ timeline }) => timeline);
  return !known.includes(wish.timeline) || toldTerm(look, wish) !== null;
}

export interface Telling {
  readonly term: number;
  readonly conditions: readonly StoreCondition[];
  readonly writes: readonly StoreWrite[];
}

export function tellingOf(look: StoreLook, wish: Return): Telling {
  const { at, boundTerm, forkLsn, node, parent, target, timeline } = wish;
  const known = Math.max(boundTerm, look.lease.value?.term ?? 0, ...look.timelines.keys());
  const term = termAbove(known);
  const ttlMs = look.lease.value?.ttlMs ?? wish.ttlMs;
  const sequence = look.lastEvent + 1;
  const event = {
    ...{ sequence, at, node, name: 'cluster.taken_back' as const },
    facts: { node, target, lsn: forkLsn, timeline },
  };
  const gone = [
    [keys.operation, look.operation],
    [keys.durability, look.durability],
  ] as const;
  return {
    term,
    conditions: [
      { key: keys.lease, revision: look.lease.revision },
      { key: keys.renewal, revision: look.renewal.revision },
      ...gone.map(([key, revision]) => ({ key, revision })),
      { key: eventKey(sequence), revision: 'absent' },
    ],
    writes: [
      { key: keys.lease, value: encodeRecord('lease', { state: 'held', term, holder: node, ttlMs }) },
      { key: keys.renewal, value: encodeRecord('renewal', { term, counter: 1 }) },
      { key: timelineKey(term), value: encodeRecord('timeline', { term, timeline, parent, forkLsn }) },
      { key: eventKey(sequence), value: encodeRecord('event', event) },
      ...gone.flatMap(([key, revision]) => (revision === 'absent' ? [] : [{ key, remove: true as const }])),
    ],
  };
}

export async function withStore<T>(file: NodeFile, clock: Clock, use: (store: Store) => Promise<T>): Promise<T> {
  const store = storeOf(file, clock);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

export async function lookAtStore(file: NodeFile, clock: Clock): Promise<StoreLook> {
  return await withStore(file, clock, async (store) => readLook(await store.readAll({ withinMs })));
}

/** Answers the term, also where it was told before. Throws REFUSED when the cluster has moved since `look`, STORE_UNREACHABLE. */
export async function tellStore(file: NodeFile, clock: Clock, look: StoreLook, wish: Return): Promise<number> {
  const told = toldTerm(look, wish);
  if (told !== null) return told;
  const { conditions, term, writes } = tellingOf(look, wish);
  return await withStore(file, clock, async (store) => {
    const { committed } = await store.transact(conditions, writes, { withinMs });
    if (committed) return term;
    const now = toldTerm(readLook(await store.readAll({ withinMs })), wish);
    if (now !== null) return now;
    throw new UnderstudyError(
      'REFUSED',
      'the cluster has moved meanwhile: an agent was started, or another node was taken back, and nothing was told',
      {
        hint: 'stop every agent, and call it again on the node that is to be primary',
      },
    );
  });
}
