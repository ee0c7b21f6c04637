/**
 * Who may have certificates signed now: one after the other, and each node as often as it can need.
 *
 * Invariant: whoever asks, and however often, one process signs at a time, few wait, and the list of certificates in the store
 * grows slower than it can matter; so a node that asks without end disturbs nobody's lease (docs/adr/0026).
 */
import { Quota } from '../audit/quota.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';

/** A life of two minutes is renewed every 80 s. */
const limits = { burst: 20, everyMs: 30_000, callers: 1_000 };
/** Each takes some 0.3 s. */
const waitingAtMost = 16;

export class IssuingTurns {
  readonly #clock: Pick<Clock, 'boottimeMs'>;
  readonly #quota = new Quota(limits);
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(clock: Pick<Clock, 'boottimeMs'>) {
    this.#clock = clock;
  }

  /** Throws CONFLICT at once when it is not this node's turn, and what `work` throws. `isOwn`: the agent asks for its own node. */
  async take<T>(node: NodeName, isOwn: boolean, work: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.boottimeMs();
    this.#quota.takeCounted(nowMs);
    if (!isOwn && !this.#quota.admits('certificate', node, nowMs))
      throw new UnderstudyError('CONFLICT', `${node} has asked for certificates too often`, {
        hint: `one request in ${limits.everyMs / 1000} s is answered`,
      });
    if (!isOwn && this.#waiting >= waitingAtMost)
      throw new UnderstudyError('CONFLICT', 'others wait for their certificates', {
        hint: 'ask again in some seconds',
      });
    const before = this.#last;
    const turn = (async () => {
      await before.catch(() => undefined);
      return await work();
    })();
    this.#last = turn;
    this.#waiting += 1;
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}
