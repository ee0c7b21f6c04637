/**
 * Which standbys can acknowledge a replicated commit, and which of them must be heard before an election.
 *
 * The record names the set S and k. R = |S| - k + 1 of S must be heard: every set that can acknowledge meets every set
 * that can elect. With S empty only the last holder's own ballot elects. A
 * primary is never named in its own server's set; one that is still in S since its election has whatever it
 * acknowledges, until it leaves S by the ordinary rule.
 *
 * Changing it (PROTOCOLS, "Invariants"; model B) has two rules. PostgreSQL may be set only to what the record demands.
 * The record may change only to what PostgreSQL already demands, in every walsender and the checkpointer, and after k'
 * of S' have flushed the insert position read after that; the flush is not owed where every set that could acknowledge
 * before contains k' of S'.
 */
import type { NodeName } from './spec.ts';

/** `standbys` empty: no commit waits for anybody, and `k` is 0. */
export interface SyncSet {
  readonly standbys: readonly NodeName[];
  readonly k: number;
}

export interface DurabilityRecord extends SyncSet {
  /** The term whose holder wrote it. */
  readonly term: number;
  /** Fewer than declared were there, and the declaration says to go on with those. */
  readonly degraded?: boolean | undefined;
}

export const nobody: SyncSet = { standbys: [], k: 0 };

export function sameSet(a: SyncSet, b: SyncSet): boolean {
  return a.k === b.k && a.standbys.length === b.standbys.length && a.standbys.every((n) => b.standbys.includes(n));
}

/** How many of S must be heard before an election; `null`: S is empty, and only the last holder's ballot elects. */
export function neededBallots({ standbys, k }: SyncSet): number | null {
  return standbys.length === 0 ? null : standbys.length - k + 1;
}

/** How many members of `record` every acknowledging set of `set` has at least. */
function guaranteed(set: SyncSet, record: SyncSet): number {
  const outside = set.standbys.filter((node) => !record.standbys.includes(node)).length;
  return Math.max(0, set.k - outside);
}

/** Does every set that acknowledges under the server's `set`, on the primary `self`, hold what `record` demands? */
export function demands(self: NodeName, set: SyncSet, record: SyncSet): boolean {
  if (record.standbys.length === 0) return true;
  const own = record.standbys.includes(self) ? 1 : 0;
  return own + guaranteed(set, record) >= record.k;
}

/**
 * What a server is started or promoted with: the record without the primary itself. Where that leaves fewer than k, since the
 * primary was one of them until its election, `others` take its place, though none of them be there: or its first commits
 * would wait for fewer than declared.
 */
export function initialServerSet(self: NodeName, record: SyncSet | null, others: readonly NodeName[]): SyncSet {
  const k = record?.k ?? 0;
  const left = (record?.standbys ?? []).filter((node) => node !== self);
  const spare = others.filter((node) => node !== self && !left.includes(node));
  // Beside members any second one would do too little: two that are no members could acknowledge without a member.
  const standbys = left.length >= k ? left : [...left, ...(left.length === 0 ? spare : spare.slice(0, 1))].sort();
  return standbys.length === 0 ? nobody : { standbys, k: Math.min(k, standbys.length) };
}

/** Is what was acknowledged under `before` by itself on `after.k` of `after.standbys`? Then no flush is owed. */
export function implies(before: SyncSet, after: SyncSet): boolean {
  if (after.standbys.length === 0) return true;
  return before.standbys.length > 0 && guaranteed(before, after) >= after.k;
}

export type DurabilityStep =
  | { readonly step: 'none' }
  /** Set `synchronous_standby_names`, and see it in effect everywhere. */
  | { readonly step: 'server'; readonly set: SyncSet }
  /** Change the record; `flush`: only once k of the new set have flushed a position read after the server's set took effect. */
  | { readonly step: 'record'; readonly set: SyncSet; readonly flush: boolean };

/**
 * The next step from where record and server stand to where both are `wanted`. Each step keeps every acknowledging set
 * meeting every electing set; an interruption between any two steps leaves the cluster safe, and the next call goes on
 * from there. At most four steps lead from any safe state to any wanted one.
 */
export function nextDurabilityStep(
  self: NodeName,
  now: { readonly record: SyncSet; readonly server: SyncSet },
  wanted: SyncSet,
): DurabilityStep {
  const { record, server } = now;
  // PostgreSQL may be set only to what the record demands; the record may change only to what PostgreSQL demands already.
  const serverMayBe = (set: SyncSet): boolean => demands(self, set, record);
  const recordMayBe = (set: SyncSet): boolean => demands(self, server, set);
  // Only a server that was set by hand: back to what the record demands, before all else.
  if (!serverMayBe(server)) return { step: 'server', set: initialServerSet(self, record, []) };
  if (sameSet(server, wanted) && sameSet(record, wanted)) return { step: 'none' };
  // Also where the primary is still of the record and could stop waiting at once: first it is known to all.
  if (wanted.standbys.length === 0 && record.standbys.length > 0) return { step: 'record', set: nobody, flush: false };
  if (!sameSet(server, wanted) && serverMayBe(wanted)) return { step: 'server', set: wanted };
  if (!sameSet(record, wanted) && recordMayBe(wanted)) {
    return { step: 'record', set: wanted, flush: !implies(record, wanted) };
  }
  return { step: 'record', set: between(record, wanted), flush: false };
}

/** A record that the server of today satisfies and the wanted server will: all of both, with the smaller k. */
function between(record: SyncSet, wanted: SyncSet): SyncSet {
  if (record.standbys.length === 0 || wanted.standbys.length === 0) return nobody;
  const standbys = [...new Set([...record.standbys, ...wanted.standbys])].sort();
  return { standbys, k: Math.min(record.k, wanted.k) };
}
