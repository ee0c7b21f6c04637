/**
 * Is the lease free? It is when it was released to nobody by name, or when its counter was seen to stand still for TTL +
 * drift on this node's own boottime (PROTOCOLS, "Lease"). After losing sight of the store the count begins anew.
 *
 * Says only what was seen: who acts on it takes a linearizable look first (failover.ts).
 */
import { driftMs } from '../lease.ts';
import type { LeaseWatch } from '../memory.ts';
import type { Situation } from '../situation.ts';

/** Without any answer from the store for this long, its silence says nothing of the holder's. */
const sightLostAfterMs = 5_000;

/** When lease and renewal were last seen to change; begun anew whenever the store was out of sight. */
export function watchLease(situation: Situation): LeaseWatch | null {
  const { view, memory, nowMs } = situation;
  const { lease, renewal, readAtMs, confirmedAtMs, leaseSeenAtMs } = view.store;
  if (lease === null || renewal === null || readAtMs === null || confirmedAtMs === null) return null;
  if (nowMs - confirmedAtMs > sightLostAfterMs) return null;
  const key = `${lease.revision} ${renewal.revision}`;
  const before = memory.leaseWatch;
  if (before?.key === key) return before;
  // A renewal wakes nobody: up to a second may have passed since it was seen.
  const sinceMs = before === null || leaseSeenAtMs === null ? nowMs : Math.max(before.sinceMs, leaseSeenAtMs);
  return { key, sinceMs, lookedAtMs: null };
}

/** Milliseconds until the lease is free, by this node's own clock; `null`: it can't be said now. */
export function freeInMs(situation: Situation): number | null {
  const lease = situation.view.store.lease?.value;
  if (lease?.state === 'released' && lease.to === null) return 0;
  const watch = situation.memory.leaseWatch;
  if (lease === undefined || watch === null) return null;
  return Math.max(0, watch.sinceMs + lease.ttlMs + driftMs(lease.ttlMs) - situation.nowMs);
}
