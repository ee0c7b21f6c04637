/**
 * Lets new nodes in while somebody is expected: listens as long as there is a token that nobody has used,
 * and for a moment after that.
 *
 * Invariant: its failures stop nothing but itself; where the port is taken it is told, and tried again.
 */
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActionLog } from './execution-context.ts';

export interface EnrolmentDoorParts {
  /** Throws PORT_IN_USE. */
  readonly server: { listen(): Promise<unknown>; close(): Promise<void> };
  readonly isAwaited: () => boolean;
  readonly clock: Clock;
  readonly log: ActionLog;
  readonly signal: AbortSignal;
}

/** A token is used by people, who have to carry it somewhere first; and one that is over harms nobody for a moment. */
const lookEveryMs = 250;
const retryAfterMs = 5_000;

export async function keepEnrolmentDoor({ clock, isAwaited, log, server, signal }: EnrolmentDoorParts): Promise<void> {
  let isOpen = false;
  while (!signal.aborted) {
    let waitMs = lookEveryMs;
    const shallBeOpen = isAwaited();
    try {
      if (shallBeOpen && !isOpen) await server.listen();
      if (!shallBeOpen && isOpen) await server.close();
      isOpen = shallBeOpen;
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      log.warn({ because: describeError(error) }, 'new nodes can not enrol here');
      waitMs = retryAfterMs;
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
  await server.close();
}
