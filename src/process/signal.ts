/**
 * Sends signals to processes that were identified before.
 *
 * Invariant: no signal goes to a process other than the one identified (id and start time). Refuses ids alone.
 */
import { isAlive, type ProcessIdentity } from './identity.ts';

/** `gone`: the process ended before; `denied`: it belongs to another user. */
export type SignalOutcome = 'sent' | 'gone' | 'denied';

export function sendSignal(target: ProcessIdentity, signal: NodeJS.Signals): SignalOutcome {
  // 0 and 1 are never ours, and negative numbers would name groups.
  if (!Number.isSafeInteger(target.pid) || target.pid < 2 || !isAlive(target)) return 'gone';
  try {
    process.kill(target.pid, signal);
    return 'sent';
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? 'denied' : 'gone';
  }
}
