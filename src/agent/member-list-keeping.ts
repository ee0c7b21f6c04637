/**
 * Has the member of the store beside this agent know what was revoked.
 *
 * Invariant: its failures are tried again, and stop nothing.
 */
import type { RevocationListRecord } from '../core/revocation.ts';
import { isFromSystem } from '../errors/system-error.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { ActionLog } from './execution-context.ts';
import { Wakeup } from './wakeup.ts';

export interface MemberListKeepingParts {
  readonly image: () => Pick<StoreImage, 'revocationLists'>;
  /** Calls back at every change of the store. */
  readonly onChange: (listener: () => void) => () => void;
  readonly renew: (records: readonly RevocationListRecord[]) => Promise<boolean>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: ActionLog;
}

const tryAgainMs = 5_000;
const idleMs = 60_000;

/** Ends with the signal. */
export async function keepMemberList(parts: MemberListKeepingParts): Promise<void> {
  const { clock, image, log, onChange, renew, signal } = parts;
  const wakeup = new Wakeup();
  let heard: unknown = null;
  const stop = onChange(() => {
    const { revocationLists } = image();
    if (heard !== revocationLists) wakeup.wake();
    heard = revocationLists;
  });
  let told = '';
  while (!signal.aborted) {
    let waitMs = idleMs;
    try {
      await renew([...image().revocationLists.values()].map(({ value }) => value));
      told = '';
    } catch (error) {
      if (!isFromSystem(error)) throw error;
      const because = describeError(error);
      if (because !== told) log.warn({ because }, "the store's list of revoked certificates could not be written");
      told = because;
      waitMs = tryAgainMs;
    }
    await wakeup.wait(waitMs, clock, signal);
  }
  stop();
}
