/**
 * Has the local PostgreSQL obey revocations: by the list that it judges new connections by, and by ending the sessions that a
 * revoked certificate has opened, of which the server knows the serial number.
 *
 * Invariant: sessions are looked at again and again while anything is revoked: one may have begun before the server had taken up
 * its list, or where it has none. Its failures are tried again, and stop nothing.
 */
import type { RevocationListRecord } from '../core/revocation.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { RevokedSerials } from '../ports/revoked.ts';
import type { StoreImage } from '../records/store-image.ts';
import type { ActionLog } from './execution-context.ts';
import { Wakeup } from './wakeup.ts';

export interface EnforcementParts {
  readonly image: () => Pick<StoreImage, 'revision' | 'revocationLists'>;
  /** Calls back at every change of the store. */
  readonly onChange: (listener: () => void) => () => void;
  readonly revoked: RevokedSerials;
  readonly lists: {
    learn(records: readonly RevocationListRecord[]): void;
    /** Which file the server shall judge by; `null`: none. */
    file(): string | null;
  };
  readonly postgres: Pick<Postgres, 'obeyRevocations'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: ActionLog;
}

const actWithinMs = 5_000;
const sweepEveryMs = 2_000;
/** While there is nothing to sweep. */
const idleMs = 60_000;

/** Ends with the signal. */
export async function enforceRevocations(parts: EnforcementParts): Promise<void> {
  const { image, lists, onChange, postgres, revoked, clock, signal, log } = parts;
  const wakeup = new Wakeup();
  let isOwed = true;
  let heard: unknown = null;
  let file: string | null = null;
  let told = '';
  const listen = (): void => {
    const { revision, revocationLists } = image();
    if (revision === 0 || revocationLists === heard) return;
    heard = revocationLists;
    lists.learn([...revocationLists.values()].map(({ value }) => value));
    isOwed = true;
    wakeup.wake();
  };
  const stops = [
    onChange(listen),
    revoked.onChange(() => {
      isOwed = true;
      wakeup.wake();
    }),
  ];
  while (!signal.aborted) {
    const serials = [...revoked.since.keys()];
    // Whether it is whole depends on the authorities that are in use, too.
    const wanted = lists.file();
    const isNew: boolean = isOwed || wanted !== file;
    try {
      isOwed = false;
      file = wanted;
      if (isNew || serials.length > 0)
        await postgres.obeyRevocations(serials, isNew, { withinMs: actWithinMs, signal });
      told = '';
    } catch (error) {
      if (!isUnderstudyError(error)) throw error;
      isOwed ||= isNew;
      const because = describeError(error);
      if (because !== told) log.warn({ because }, 'PostgreSQL could not be told of revoked certificates');
      told = because;
    }
    await wakeup.wait(isOwed || serials.length > 0 ? sweepEveryMs : idleMs, clock, signal);
  }
  for (const stop of stops) stop();
}
