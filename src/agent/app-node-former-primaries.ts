/**
 * Lets go of a primary that was replaced: what its connections still carry is ended, so that no client waits for it.
 *
 * A lease of a higher term means that the one before has run out, and its PostgreSQL was ended or hangs: it acknowledges
 * nothing any more, and what comes late from it is worth nothing. Within a term a server that is slow may still answer.
 * An agent that has just started does not know whom the connections that it finds were for: it makes room for them only.
 *
 * Invariant: one at a time; a newer one replaces it.
 */
import type { Clock } from '../ports/clock.ts';
import type { Pooler, ServerPlace } from '../ports/pooler.ts';

/** A pooler that could not be asked is asked again after this. */
const againAfterMs = 1_000;

export interface LedTo {
  readonly node: string | null;
  readonly place: ServerPlace | null;
  readonly term: number;
}

export class FormerPrimaries {
  readonly #pooler: Pooler;
  readonly #clock: Clock;
  readonly #onEnded: (primary: string, connections: number) => void;
  #led: LedTo | null = null;
  #cancel = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  /** `onEnded` is told of connections that had to be ended. */
  constructor(pooler: Pooler, clock: Clock, onEnded: (primary: string, connections: number) => void) {
    this.#pooler = pooler;
    this.#clock = clock;
    this.#onEnded = onEnded;
  }

  /** The pooler leads there from now on. Nothing waits for what follows from it. */
  leads(led: LedTo): void {
    const before = this.#led;
    this.#led = led;
    if (before !== null && (isSame(before.place, led.place) || led.term <= before.term)) return;
    this.#cancel.abort();
    const cancel = new AbortController();
    this.#cancel = cancel;
    this.#ended = this.#ended.then(async () => await this.#letGo(before, cancel.signal));
  }

  /** Ends what is under way; the pooler stays as it is. */
  async close(): Promise<void> {
    this.#cancel.abort();
    await this.#ended;
  }

  async #letGo(before: LedTo | null, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const connections = await this.#pooler.abandon(before?.place ?? null, signal);
        if (connections > 0 && before !== null) this.#onEnded(before.node ?? 'its server', connections);
        return;
      } catch {
        // The pooler was lost, and its connections with it; or it does not answer for now.
        await this.#clock.sleep(againAfterMs, signal).catch(() => undefined);
      }
    }
  }
}

function isSame(one: ServerPlace | null, other: ServerPlace | null): boolean {
  return one?.address === other?.address && one?.port === other?.port;
}
