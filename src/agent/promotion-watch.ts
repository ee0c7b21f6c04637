/**
 * Keeps a proof off a node that serves writes: it is ended when its node takes the lease, or its server is primary, whatever it was when
 * the proof was ordered.
 *
 * Invariant: what was ended so has found nothing. Where there is no other database node a person chose this one, and it goes on.
 */
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface PromotionWatchParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

const lookEveryMs = 1_000;

export class PromotionWatch {
  readonly #parts: PromotionWatchParts;

  constructor(parts: PromotionWatchParts) {
    this.#parts = parts;
  }

  /** Throws REFUSED when it serves writes before the end, and what `act` throws. */
  async during<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { self, signal } = this.#parts;
    const over = new AbortController();
    const promoted = new AbortController();
    const refused = (): UnderstudyError =>
      new UnderstudyError('REFUSED', `it could not be tried: ${self} serves writes now`, {
        hint: 'another node does it: understudy backup prove',
      });
    if (this.#servesWrites()) throw refused();
    const looking = this.#look(promoted, AbortSignal.any([signal, over.signal]));
    try {
      const result = await act(AbortSignal.any([signal, promoted.signal]));
      if (promoted.signal.aborted) throw refused();
      return result;
    } catch (error) {
      throw promoted.signal.aborted && !signal.aborted ? refused() : error;
    } finally {
      over.abort();
      await looking;
    }
  }

  async #look(promoted: AbortController, until: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!until.aborted && !promoted.signal.aborted) {
      await clock.sleep(lookEveryMs, until).catch(() => undefined);
      if (this.#servesWrites()) promoted.abort();
    }
  }

  #servesWrites(): boolean {
    const { mirror, self } = this.#parts;
    const { lease, members, spec } = mirror.image;
    const nodes = spec?.value.spec.nodes.filter(({ role }) => role === 'database') ?? [];
    if (nodes.length === 1) return false;
    const holds = lease?.value.state === 'held' && lease.value.holder === self;
    return holds || members.get(self)?.value.postgres.state === 'primary';
  }
}
