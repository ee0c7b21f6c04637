/** Deadlines of one act: every wait in this adapter ends by one of these. */
import type { ErrorCode } from '../errors/catalogue.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';

export interface Deadline {
  readonly signal: AbortSignal | undefined;
  leftMs(): number;
  /** Throws when the time is over or the act was cancelled; `what` finishes the sentence "… in time". */
  check(what: string, code?: ErrorCode): void;
}

export function deadlineOf(clock: Clock, options: ActOptions): Deadline {
  const end = clock.boottimeMs() + options.withinMs;
  return {
    signal: options.signal,
    leftMs: () => Math.max(0, end - clock.boottimeMs()),
    check(what, code = 'POSTGRES_TIMEOUT') {
      if (options.signal?.aborted === true) {
        throw new UnderstudyError(code, `${what}: cancelled`, { cause: options.signal.reason });
      }
      if (clock.boottimeMs() >= end) throw new UnderstudyError(code, `${what}: not within ${options.withinMs} ms`);
    },
  };
}

/**
 * Looks every `everyMs` until the probe answers something other than `undefined`. Throws POSTGRES_TIMEOUT at the
 * deadline. The probe is asked once more at the end, so that a suspended process does not miss what has come.
 */
export async function waitFor<T>(
  clock: Clock,
  deadline: Deadline,
  what: string,
  everyMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    deadline.check(what);
    await clock.sleep(Math.min(everyMs, Math.max(1, deadline.leftMs())));
  }
}

/** Answers `null` when the promise has not settled within `ms` or before a cancel; what it settles to later is dropped. */
export async function within<T>(ms: number, promise: Promise<T>, signal?: AbortSignal): Promise<T | null> {
  let end: () => void = () => undefined;
  const over = new Promise<null>((resolve) => {
    end = () => resolve(null);
  });
  const timer = setTimeout(end, ms);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted === true) end();
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
    promise.catch(() => undefined);
  }
}
