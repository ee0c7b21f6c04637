/**
 * Gives a new, empty store what the automation must know to go on with a cluster that people ran by hand.
 *
 * Invariants: it writes only into a store that knows nothing of this cluster, all of it in one transaction. The lease is
 * given to the node that is writable now, in a term above every one that any node of this machine has bound itself to:
 * nodes elsewhere have bound themselves to at most the next one, so a wide step is above those, too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { promiseFileIn } from '../agent/promise-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { SpecRecord } from '../core/cluster-view.ts';
import { cutTerm } from '../core/promise.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { openStore } from '../etcd/store-access.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import { decodeRecord, encodeRecord } from '../records/codecs.ts';
import { keys, timelineKey } from '../records/keys.ts';
import type { Place } from './place.ts';
import type { Standing } from './standing.ts';

const termStep = 100;
const writeWithinMs = 30_000;
const memory = z.object({ highestTerm: z.int().min(0) });

export function fenceMemory({ directories }: NodeFile): string {
  return join(directories.state, 'fence.json');
}

/** Set aside while people run the cluster: a fence that finds it would end PostgreSQL at a deadline long past. */
export function fenceMemoryAside(node: NodeFile): string {
  return `${fenceMemory(node)}.by-hand`;
}

/** Above every one that nodes have bound themselves to, where `known` is the highest that is known of. */
export function termAbove(known: number): number {
  return known + termStep;
}

/** That nodes of this machine have bound themselves to. */
export function highestTerm(nodes: readonly NodeFile[]): number {
  const terms = nodes.flatMap((node) => {
    const promise = promiseFileIn(node.directories.state).read();
    const bound = promise.kind === 'promised' ? promise.term : 0;
    return [cutTerm(promise), bound, termIn(fenceMemory(node)), termIn(fenceMemoryAside(node))];
  });
  return Math.max(0, ...terms);
}

function termIn(file: string): number {
  try {
    return memory.parse(JSON.parse(readFileSync(file, 'utf8'))).highestTerm;
  } catch {
    return 0; // this node never was primary
  }
}

/** Answers the term. Throws REFUSED when the store knows a cluster already, STORE_UNREACHABLE. */
export async function seedStore(place: Place, node: NodeFile, primary: Standing, clock: Clock): Promise<number> {
  const databases = place.here.filter(({ role }) => role === 'database');
  const term = termAbove(highestTerm(databases));
  const { systemIdentifier, timeline } = primary;
  return await seedEmptyStore(node, { spec: place.spec, systemIdentifier, timeline, term }, clock);
}

export interface Seed {
  readonly spec: SpecRecord;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly term: number;
}

/** On machines that never saw the cluster nobody is bound to any term. */
export const firstRecoveredTerm = termStep;

export interface KnownCluster {
  /** `null`: not as this version writes it. */
  readonly systemIdentifier: string | null;
  readonly holder: string | null;
  readonly appliedBy: string | null;
}

/** `null`: the store knows no cluster under this name, and may be given one. Throws REFUSED, STORE_UNREACHABLE, STORE_DENIED. */
export async function knownCluster(node: NodeFile, clock: Clock): Promise<KnownCluster | null> {
  const store = storeOf(node, clock);
  try {
    const { entries } = await store.readAll({ withinMs: writeWithinMs });
    if (ofACluster.every((key) => !entries.has(key))) return null;
    const read = (key: string): string => entries.get(key)?.value ?? '';
    const cluster = decodeRecord('cluster', read(keys.cluster));
    const lease = decodeRecord('lease', read(keys.lease));
    const spec = decodeRecord('spec', read(keys.spec));
    return {
      systemIdentifier: cluster.ok ? cluster.value.systemIdentifier : null,
      holder: lease.ok && lease.value.state === 'held' ? lease.value.holder : null,
      appliedBy: spec.ok ? spec.value.appliedBy : null,
    };
  } finally {
    await store.close();
  }
}

export function storeOf({ cluster, node, store }: NodeFile, clock: Clock): Store {
  if (store === null) throw new UnderstudyError('REFUSED', `${node} has no access to a store`);
  return openStore(store, cluster, clock);
}

/** One that has none of these knows none. */
const ofACluster = [keys.spec, keys.cluster, keys.lease, keys.renewal];

/** Gives the lease to that node, which has the data. Throws as `seedStore` does. */
export async function seedEmptyStore(node: NodeFile, seed: Seed, clock: Clock): Promise<number> {
  const store = storeOf(node, clock);
  const { spec, systemIdentifier, term, timeline } = seed;
  const { major } = spec.spec.postgres;
  const { ttlMs } = spec.spec.lease;
  try {
    const result = await store.transact(
      ofACluster.map((key) => ({ key, revision: 'absent' as const })),
      [
        { key: keys.spec, value: encodeRecord('spec', spec) },
        { key: keys.cluster, value: encodeRecord('cluster', { systemIdentifier, postgresMajor: major }) },
        { key: keys.lease, value: encodeRecord('lease', { state: 'held', term, holder: node.node, ttlMs }) },
        { key: keys.renewal, value: encodeRecord('renewal', { term, counter: 1 }) },
        // Where it left its parent its holder finds out, and corrects.
        { key: timelineKey(term), value: encodeRecord('timeline', { term, timeline, parent: null, forkLsn: '0/0' }) },
      ],
      { withinMs: writeWithinMs },
    );
    if (result.committed) return term;
    throw new UnderstudyError('REFUSED', 'this store knows the cluster already: it is not a new one');
  } finally {
    await store.close();
  }
}
