/**
 * Which endpoint is asked, and for how long they are asked in turn.
 *
 * Sticky: the last one that answered is asked first, so that connections stay warm. This is the only layer that repeats
 * a request to the store.
 */
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { CallOptions } from '../ports/store.ts';
import { withDeadline } from '../timing/deadline.ts';
import { durations } from '../timing/policies.ts';
import { Unanswered } from './failure.ts';

export interface Attempt {
  readonly endpoint: string;
  /** What is left of the call. */
  readonly call: CallOptions;
  /** An earlier attempt of the same call may have been carried out. */
  readonly maybeApplied: boolean;
}

export class Endpoints {
  readonly #urls: readonly string[];
  readonly #clock: Clock;
  #current = 0;
  #isClosed = false;

  constructor(urls: readonly string[], clock: Clock) {
    if (urls.length === 0) throw new UnderstudyError('CONFIG_INVALID', 'the store has no endpoints');
    this.#urls = urls.map((url) => url.replace(/\/+$/, ''));
    this.#clock = clock;
  }

  /** Calls under way end with STORE_UNREACHABLE as soon as their requests do. */
  close(): void {
    this.#isClosed = true;
  }

  get count(): number {
    return this.#urls.length;
  }

  /** Counted from the one that is asked first now. */
  at(offset: number): string {
    return this.#urls[(this.#current + offset) % this.#urls.length] ?? '';
  }

  /**
   * Runs `work` at one endpoint after another until one answers or the call's time is over. Throws STORE_UNREACHABLE;
   * STORE_CERTIFICATE when no endpoint was better than that; anything else that `work` throws at once.
   */
  async inTurn<T>(call: CallOptions, work: (attempt: Attempt) => Promise<T>): Promise<T> {
    const untilMs = this.#clock.boottimeMs() + call.withinMs;
    let maybeApplied = false;
    let last: unknown;
    for (let tries = 0; ; tries += 1) {
      if (tries > 0 && tries % this.count === 0) {
        if (isCertificate(last)) throw last;
        const pauseMs = Math.min(durations.storeRoundPauseMs, Math.max(0, untilMs - this.#clock.boottimeMs()));
        await this.#clock.sleep(pauseMs, call.signal).catch(() => undefined);
      }
      const withinMs = untilMs - this.#clock.boottimeMs();
      if (withinMs <= 0 || this.#isOver(call)) throw this.#unreachable(last);
      const endpoint = this.at(0);
      try {
        // One attempt may be several requests: a token, the request, a new token, the request again.
        return await withDeadline(withinMs, call.signal, (signal) =>
          work({ endpoint, call: { withinMs, signal }, maybeApplied }),
        );
      } catch (error) {
        if (isUnderstudyError(error, 'TIMEOUT') || this.#isOver(call)) throw this.#unreachable(last ?? error);
        if (!(error instanceof Unanswered) && !isCertificate(error)) throw error;
        if (error instanceof Unanswered && error.applied === 'maybe') maybeApplied = true;
        // A certificate is the worse news only as long as there is no other.
        if (!isCertificate(error) || last === undefined) last = error;
        this.#leave(endpoint);
      }
    }
  }

  #isOver({ signal }: CallOptions): boolean {
    return this.#isClosed || signal?.aborted === true;
  }

  /** Of many calls that fail at one endpoint together, the first moves all of them on. */
  #leave(endpoint: string): void {
    if (this.at(0) === endpoint) this.#current = (this.#current + 1) % this.count;
  }

  #unreachable(cause: unknown): UnderstudyError {
    return new UnderstudyError('STORE_UNREACHABLE', `no answer from the store at ${this.#urls.join(', ')}`, { cause });
  }
}

function isCertificate(error: unknown): error is UnderstudyError {
  return error instanceof UnderstudyError && error.code === 'STORE_CERTIFICATE';
}
