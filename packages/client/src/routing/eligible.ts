/**
 * Which servers a read may go to at all, and why not to the others. Pure.
 *
 * Invariant: unknown is not good. A replica of which nothing is known serves nobody, one of unknown lag nobody who bounds
 * the lag. Whether a replica has a session's writes is asked of the chosen one: see reading/.
 */
import type { Candidate } from './router.ts';

/** What this process believes of a server. */
export interface ServerBelief {
  readonly name: string;
  readonly role: 'primary' | 'replica' | 'unknown';
  readonly isReachable: 'yes' | 'no' | 'unknown';
  /** Not before this moment is it tried again after a failure, in ms of the runtime; `null`: no failure. */
  readonly benchedUntilMs: number | null;
  readonly datacenter: string | null;
  readonly lagMs: number | null;
  readonly lagBytes: number | null;
}

/** `null`: any lag will do. */
export interface LagLimits {
  readonly maxLagMs: number | null;
  readonly maxLagBytes: number | null;
}

export type Unfit = 'benched' | 'unreachable' | 'not-seen-yet' | 'lag-unknown' | 'lags-too-long' | 'lags-too-much';

export interface Eligibility {
  readonly candidates: readonly Candidate[];
  readonly unfit: readonly { readonly name: string; readonly because: Unfit }[];
}

export function judgeServers(
  servers: readonly ServerBelief[],
  limits: LagLimits,
  ownDatacenter: string | null,
  nowMs: number,
): Eligibility {
  const candidates: Candidate[] = [];
  const unfit: { name: string; because: Unfit }[] = [];
  for (const server of servers) {
    const because = unfitness(server, limits, nowMs);
    if (because === null && server.role !== 'unknown') candidates.push(candidateOf(server, server.role, ownDatacenter));
    else unfit.push({ name: server.name, because: because ?? 'not-seen-yet' });
  }
  return { candidates, unfit };
}

function candidateOf(server: ServerBelief, role: 'primary' | 'replica', ownDatacenter: string | null): Candidate {
  const { name, datacenter } = server;
  const isNear = ownDatacenter === null || datacenter === ownDatacenter;
  if (role === 'primary') return { name, role, datacenter, isNear, lagMs: 0, lagBytes: 0 };
  return { name, role, datacenter, isNear, lagMs: server.lagMs, lagBytes: server.lagBytes };
}

function unfitness(server: ServerBelief, limits: LagLimits, nowMs: number): Unfit | null {
  if (server.benchedUntilMs !== null && nowMs < server.benchedUntilMs) return 'benched';
  if (server.isReachable === 'no') return 'unreachable';
  if (server.isReachable === 'unknown' || server.role === 'unknown') return 'not-seen-yet';
  if (server.role === 'primary') return null;
  if (limits.maxLagMs !== null) {
    if (server.lagMs === null) return 'lag-unknown';
    if (server.lagMs > limits.maxLagMs) return 'lags-too-long';
  }
  if (limits.maxLagBytes !== null) {
    if (server.lagBytes === null) return 'lag-unknown';
    if (server.lagBytes > limits.maxLagBytes) return 'lags-too-much';
  }
  return null;
}
