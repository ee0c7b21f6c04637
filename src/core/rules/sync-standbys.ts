/**
 * The holder keeps `synchronous_standby_names` and the durability record at the healthy standbys, one safe step at a
 * time (core/durability.ts has the rules for the steps, PROTOCOLS the reasons).
 *
 * Invariants: the record is written only by the holder, comparing the lease and the record that it replaces; a write
 * without an answer is settled by rewriting the record, never by reading it; after a restart of the agent, and in each
 * new term, the record is rewritten once before it is changed. A standby that is gone leaves the set only while as many
 * others are there as are declared. Otherwise transactions that asked for a replicated commit wait; or, where `degrade` is
 * declared and some seconds have passed, the record first says that they don't, and then they don't.
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
import { unreachable } from '../exhausted-union.ts';
import type { Lsn } from '../lsn.ts';
import { type DatabaseMemory, mayRetry } from '../memory.ts';
import { otherDatabaseNodes, type Situation } from '../situation.ts';
import { isDelayed, type NodeName, type NodeSpec, nodesOfRole, type Spec } from '../spec.ts';
import { areHandsOff } from './hands-off.ts';

/** A standby that has not streamed for this long is no longer healthy, in ms. */
const healthyForMs = 3_000;
/**
 * So long standbys may be gone before commits go on without them where `degrade` is declared, in ms: a new primary's
 * first followers, and a restarted standby, are quicker.
 */
const degradeAfterMs = 5_000;

/** When each standby was last seen streaming, and since when there are too few of them. */
export function watchStandbys(situation: Situation): Pick<DatabaseMemory, 'streamed' | 'shortSinceMs'> {
  const { view, memory, nowMs } = situation;
  if (view.postgres.state !== 'primary') {
    return { streamed: memory.streamed.size === 0 ? memory.streamed : new Map(), shortSinceMs: null };
  }
  const streaming = view.postgres.peers.filter(({ state }) => state === 'streaming');
  const seen = streaming.map(({ name }) => [name, nowMs] as const);
  const streamed = seen.length === 0 ? memory.streamed : new Map([...memory.streamed, ...seen]);
  const isShort = healthyStandbys(situation, streamed).length < declaredK(situation);
  return { streamed, shortSinceMs: isShort ? (memory.shortSinceMs ?? nowMs) : null };
}

/** How many standbys a replicated commit is declared to wait for, of those that there could ever be. */
export function declaredK(situation: Situation): number {
  return Math.min(situation.spec?.durability.k ?? 0, prompt(otherDatabaseNodes(situation)).length);
}

/** A delayed standby has a commit at once and shows it hours later: who asked for `remote_apply` would wait as long. */
function prompt(nodes: readonly NodeSpec[]): readonly NodeSpec[] {
  return nodes.filter((node) => !isDelayed(node));
}

/**
 * Those that stream. Where enough of these may become primary, only these: what they alone acknowledged, one that stands
 * for no election can't have kept from whoever does.
 */
function healthyStandbys(situation: Situation, streamed: ReadonlyMap<NodeName, number>): readonly NodeName[] {
  const { nowMs } = situation;
  const healthy = prompt(otherDatabaseNodes(situation)).filter(
    ({ name }) => nowMs - (streamed.get(name) ?? Number.NEGATIVE_INFINITY) <= healthyForMs,
  );
  const able = healthy.filter(({ failover }) => failover === 'allowed');
  return (able.length >= declaredK(situation) ? able : healthy).map(({ name }) => name).sort();
}

/** The set that the healthy standbys make. */
export function wantedSet(situation: Situation, record: SyncSet): SyncSet {
  const { memory, nowMs, self, spec } = situation;
  const k = declaredK(situation);
  const healthy = healthyStandbys(situation, memory.streamed);
  const present = healthy.length === 0 ? nobody : { standbys: healthy, k: Math.min(k, healthy.length) };
  if (healthy.length >= k) return present;
  const shortForMs = memory.shortSinceMs === null ? 0 : nowMs - memory.shortSinceMs;
  if (spec?.durability.withoutStandby === 'degrade' && shortForMs >= degradeAfterMs) return present;
  // Too few are there: whoever asked for a replicated commit waits for the members that the record names.
  const known = prompt(otherDatabaseNodes(situation)).map(({ name }) => name);
  const members = record.standbys.filter((name) => name === self || known.includes(name));
  const kept = startingSet(self, spec, { standbys: members, k: Math.min(record.k, members.length) });
  return present.k > 0 && present.k >= kept.k ? present : kept;
}

/** Is this a record that the declaration permits only because too few standbys are there? */
function isDegraded(situation: Situation, set: SyncSet, replaced: DurabilityRecord | null): boolean {
  return set.k < declaredK(situation) && replaced !== null && (replaced.degraded === true || set.k < replaced.k);
}

type Writing = Extract<Action, { do: 'write-durability' }>;

function writing(situation: Situation, term: number, set: SyncSet, because: string): Writing | null {
  const { lease, view } = situation;
  if (lease.is !== 'mine') return null;
  const replaces = view.store.durability;
  const isLess = isDegraded(situation, set, replaces?.value ?? null);
  const record = { term, standbys: set.standbys, k: set.k, ...(isLess ? { degraded: true } : {}) };
  return { do: 'write-durability', record, replaces, lease: lease.lease, because: [because] };
}

/**
 * The rewriting of the record that is owed before anything rests on it: an earlier write, of this process or of one that
 * died, may land until then. `null`: it was done in this term.
 */
export function owedSettling(situation: Situation): Writing | null {
  const { lease, memory, view } = situation;
  if (lease.is !== 'mine' || memory.durabilityWritten === lease.lease.value.term) return null;
  return writing(situation, lease.lease.value.term, view.store.durability?.value ?? nobody, 'settle-earlier-writes');
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
  const owed = (action: Action | null) => ({
    actions: action !== null && mayRetry(memory, action.do, nowMs) ? [action] : [],
    unconverged: ['synchronous standbys'],
  });
  const settling = owedSettling(situation);
  if (settling !== null) return owed(settling);
  const effective = memory.sync?.pid === postgres.pid ? memory.sync : null;
  // What was set by hand is no set that anything can rest on: back to what the record demands.
  const server = postgres.syncSet ?? startingSet(self, situation.spec, record);
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
      return owed(writing(situation, term, step.set, 'standbys-changed'));
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

/** Whom a server waits for from its first instant as primary; for itself others stand in that may become primary, if any may. */
export function startingSet(self: NodeName, spec: Spec | null, record: SyncSet | null): SyncSet {
  const others = spec === null ? [] : prompt(nodesOfRole(spec, 'database')).filter(({ name }) => name !== self);
  const able = others.filter(({ failover }) => failover === 'allowed');
  const names = (able.length === 0 ? others : able).map(({ name }) => name).sort();
  return initialServerSet(self, record, names);
}

/** Do a standby's files name other synchronous standbys than it must have as primary? */
export function mustConfigure({ memory, view, self, spec }: Situation): boolean {
  const sync = startingSet(self, spec, view.store.durability?.value ?? null);
  return memory.configuredSync === null || !sameSet(memory.configuredSync, sync);
}

/** What the server's files name: on the primary as it is set, on a standby what it would be promoted with. */
export function describeSyncSet(set: DurabilityRecord | SyncSet): string {
  return set.standbys.length === 0 ? 'nobody' : `any ${set.k} of ${set.standbys.join(', ')}`;
}
