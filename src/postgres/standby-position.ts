/**
 * What a standby's own figures say of its position.
 *
 * Pure. Invariant: a position is claimed only where the figures prove it; what they leave open is `null`.
 */
import type { Lsn } from '../core/lsn.ts';
import type { PositionFacts } from './facts.ts';

/** The receive position, if it is one: after a restart it is nothing, or the start of a segment behind replay. */
export function receivedPosition(fast: PositionFacts): Lsn | null {
  if (fast.received_lsn === null) return null;
  return fast.replayed_lsn === null || fast.received_lsn >= fast.replayed_lsn ? fast.received_lsn : null;
}

/**
 * The end of valid WAL on disk: what this process streamed past its replay, or else the replay position once local WAL
 * is exhausted. The maximum of both is too low after a restart, and replay that still goes on tells nothing.
 */
export function walEnd(fast: PositionFacts, replayed: Lsn): Lsn | null {
  const received = receivedPosition(fast);
  if (received !== null && received > replayed) return received;
  const isExhausted = fast.receiver_status !== null || fast.startup_wait === 'RecoveryRetrieveRetryInterval';
  return isExhausted ? replayed : null;
}

/** In seconds; `null`: it does not stream, or has replayed nothing yet. */
export function replayLagS(fast: PositionFacts): number | null {
  if (fast.receiver_status !== 'streaming') return null;
  const received = receivedPosition(fast);
  if (received === null || received === fast.replayed_lsn) return 0;
  return fast.replay_age_s === null ? null : Math.max(0, fast.replay_age_s);
}
