/**
 * The lease: the time-bounded right to be primary.
 *
 * It is kept as two values written in one transaction, so that what others compare (`Lease`) does not change
 * with every renewal: a handover compares the lease, a renewal and a takeover compare the `Renewal` as well.
 *
 * Invariant: a term has one holder, and a holder makes nothing writable after its deadline. The deadline counts
 * from before the acknowledged renewal was sent; an unanswered renewal extends nothing.
 */
import type { NodeName } from './spec.ts';

export type Lease =
  | { readonly state: 'held'; readonly term: number; readonly holder: NodeName; readonly ttlMs: number }
  /** The holder's PostgreSQL was proven gone. `to`: who alone may take the next term at once; `null`: whoever is elected. */
  | {
      readonly state: 'released';
      readonly term: number;
      readonly by: NodeName;
      readonly to: NodeName | null;
      readonly ttlMs: number;
    };

export interface Renewal {
  readonly term: number;
  readonly counter: number;
  /** Who alone may take the lease while it is held (rules/candidates.ts); absent when written by an older version. */
  readonly candidates?: readonly NodeName[] | undefined;
  /** How far the holder had written when it renewed; absent while it is not writable, or of an older version. */
  readonly written?: WrittenPosition | undefined;
  /** The boots in which the standbys had received everything last, by node (boots.ts). */
  readonly boots?: Readonly<Record<NodeName, string>> | undefined;
}

export interface WrittenPosition {
  readonly timeline: number;
  readonly lsn: string;
}

/** Who could write last. */
export function lastHolder(lease: Lease): NodeName {
  return lease.state === 'held' ? lease.holder : lease.by;
}

/** Clocks may run apart by this much over one TTL; 1 % is a hundred times what a quartz clock does. */
export function driftMs(ttlMs: number): number {
  return Math.ceil(ttlMs / 100);
}

/** What a demotion by force may take at the worst: the last part of every TTL is reserved for it. */
export const killTimeMs = 1_000;

/** How long the agent's own demotion, a fast stop, may take before the fence ends everything; part of `killTimeMs`. */
const demotionMs = 500;

/** The instant at which the fence kills whatever is left. */
export function fenceDeadlineMs(sentAtMs: number, ttlMs: number): number {
  return leaseDeadlineMs(sentAtMs, ttlMs) + demotionMs;
}

/** TTL/6: two lost renewals must not cost the lease. */
export function renewEveryMs(ttlMs: number): number {
  return Math.floor(ttlMs / 6);
}

/** The last instant, on the holder's boottime, at which its PostgreSQL may still be writable. */
export function leaseDeadlineMs(sentAtMs: number, ttlMs: number): number {
  return sentAtMs + ttlMs - driftMs(ttlMs) - killTimeMs;
}
