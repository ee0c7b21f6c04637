/**
 * How long a pooler's gate may stay shut, and what its state is called to others.
 *
 * Invariant: it never stays shut for longer than the limit that came with the pause plus `pauseHoldMs`, nor held for longer
 * than its limit.
 */
import type { PoolerState } from '../pooler-report.ts';
import type { HeldGate, PoolerGateView, PoolerView, ShutGate } from './pooler-memory.ts';

/** After the limit of a pause: how long to wait for a writable primary before opening towards the last known one. */
export const pauseHoldMs = 10_000;

export function isShut(gate: PoolerGateView): gate is ShutGate {
  return gate.state === 'draining' || gate.state === 'drained';
}

/** When what was asked for is over, on this node's boottime. */
export function limitAtMs({ sinceMs, limitMs }: ShutGate | HeldGate): number {
  return sinceMs + limitMs;
}

/** How long clients may be kept waiting, on this node's boottime; by a pause that nobody asked for, not at all. */
export function endsAtMs(gate: PoolerGateView): number {
  if (gate.state === 'open') return Number.NEGATIVE_INFINITY;
  return limitAtMs(gate) + (gate.state === 'held' ? 0 : pauseHoldMs);
}

export function stateOf(
  gate: PoolerGateView,
  seen: { readonly process: PoolerView['process']; readonly isHoldInForce: boolean; readonly isLoaded: boolean },
): PoolerState {
  if (seen.process === 'stopped') return 'down';
  if (gate.state === 'draining') return 'pausing';
  if (seen.process === 'unknown') return 'unknown';
  if (gate.state === 'drained') return 'paused';
  if (gate.state === 'held') return seen.isHoldInForce ? 'held' : 'pausing';
  // It runs, but was never told where to: clients can't use it.
  return seen.isLoaded ? 'open' : 'down';
}
