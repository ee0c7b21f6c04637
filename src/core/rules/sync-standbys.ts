/**
 * The holder keeps `synchronous_standby_names` and the durability record at the healthy standbys, one safe step at a
 * time (core/durability.ts has the rules for the steps, PROTOCOLS the reasons).
 *
 * Invariants: the record is written only by the holder, comparing the lease and the record that it replaces; a write
 * without an answer is settled by rewriting the record, never by reading it; after a restart of the agent, and in each
 * new term, the record is rewritten once before it is changed. A standby that is gone leaves the set only while enough
 * others are there: otherwise transactions that asked for a replicated commit wait.
 */
import type { Action } from '../actions.ts';
import {
  type DurabilityRecord,
  demands,
  initialServerSet,
  nextDurabilityStep,
  nobody,
  type SyncSet,
  sameSet,
} from '../durability.ts';
import type { Lsn } from '../lsn.ts';
import { mayRetry } from '../memory.ts';
import { otherDatabaseNodes, type Situation } from '../situation.ts';
import type { NodeName } from '../spec.ts';
import { areHandsOff } from './hands-off.ts';

/** A standby that has not streamed for this long is no longer healthy, in ms. */
const healthyForMs = 3_000;
/** How many standbys a replicated commit waits for. */
const acknowledging = 1;

/** When each standby was last seen streaming. */
export function watchStandbys(situation: Situation): ReadonlyMap<NodeName, number> {
  const { view, memory, nowMs } = situation;
  if (view.postgres.state !== 'primary') return memory.streamed.size === 0 ? memory.streamed : new Map();
  const streaming = view.postgres.peers.filter(({ state }) => state === 'streaming');
  if (streaming.length === 0) return memory.streamed;
  const streamed = new Map(memory.streamed);
  for (const { name } of streaming) streamed.set(name, nowMs);
  return streamed;
}

/** The set that the healthy standbys make. */
export function wantedSet(situation: Situation, record: SyncSet): SyncSet {
  const { memory, nowMs } = situation;
  const known = otherDatabaseNodes(situation).map(({ name }) => name);
  if (known.length === 0) return nobody;
  const healthy = known.filter(
    (name) => nowMs - (memory.streamed.get(name) ?? Number.NEGATIVE_INFINITY) <= healthyForMs,
  );
  if (healthy.length < acknowledging) {
    // Nobody is there: whoever asked for a replicated commit waits for the members that the record names.
    const kept = record.standbys.filter((name) => known.includes(name));
    return kept.length === 0 ? nobody : { standbys: kept, k: Math.min(record.k, kept.length) };
  }
  return { standbys: [...healthy].sort(), k: acknowledging };
}

/** The next step, if one is due; `unconverged` says what is still owed. */
export function decideSyncStandbys(situation: Situation): {
  readonly actions: readonly Action[];
  readonly unconverged: readonly string[];
} {
  const { view, memory, lease, self, nowMs } = situation;
  const { postgres, store } = view;
  if (lease.is !== 'mine' || postgres.state !== 'primary' || situation.me === null)
    return { actions: [], unconverged: [] };
  const { term } = lease.lease.value;
  const record: SyncSet = store.durability?.value ?? nobody;
  const write = (set: SyncSet, because: string): Action => ({
    do: 'write-durability',
    record: { term, standbys: set.standbys, k: set.k },
    replaces: store.durability,
    lease: lease.lease,
    because: [because],
  });
  const owed = (action: Action) => ({
    actions: mayRetry(memory, action.do, nowMs) ? [action] : [],
    unconverged: ['synchronous standbys'],
  });
  if (memory.durabilityWritten !== term) return owed(write(record, 'settle-earlier-writes'));
  const effective = memory.sync?.pid === postgres.pid ? memory.sync : null;
  // What was set by hand is no set that anything can rest on: back to what the record demands.
  const server = postgres.syncSet ?? initialServerSet(self, record);
  if (areHandsOff(situation) && demands(self, server, record)) return { actions: [], unconverged: [] };
  if (effective === null || !sameSet(effective.set, server)) {
    return owed({ do: 'set-sync-standbys', set: server, because: ['effect-unknown'] });
  }
  const step = nextDurabilityStep(self, { record, server }, wantedSet(situation, record));
  switch (step.step) {
    case 'none':
      return { actions: [], unconverged: [] };
    case 'server':
      return owed({ do: 'set-sync-standbys', set: step.set, because: ['standbys-changed'] });
    case 'record': {
      if (step.flush && flushedBy(postgres.peers, step.set, effective.mark) < step.set.k) {
        return { actions: [], unconverged: ['synchronous standbys'] };
      }
      return owed(write(step.set, 'standbys-changed'));
    }
    default:
      return unreachable(step);
  }
}

function flushedBy(
  peers: readonly { readonly name: string; readonly flushLsn: Lsn | null }[],
  set: SyncSet,
  mark: Lsn,
): number {
  return set.standbys.filter((name) =>
    peers.some((peer) => peer.name === name && peer.flushLsn !== null && peer.flushLsn >= mark),
  ).length;
}

/** Do a standby's files name other synchronous standbys than it must have as primary? */
export function mustConfigure({ memory, view, self }: Situation): boolean {
  const sync = initialServerSet(self, view.store.durability?.value ?? null);
  return memory.configuredSync === null || !sameSet(memory.configuredSync, sync);
}

/** What the server's files name: on the primary as it is set, on a standby what it would be promoted with. */
export function describeSyncSet(set: DurabilityRecord | SyncSet): string {
  return set.standbys.length === 0 ? 'nobody' : `any ${set.k} of ${set.standbys.join(', ')}`;
}

function unreachable(value: never): never {
  throw new Error(`not a known step: ${JSON.stringify(value)}`);
}
