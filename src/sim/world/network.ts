/**
 * Ways between machines: delays, and directions that are cut.
 *
 * Invariant: a message goes through when the way is open both when it is sent and when it arrives; otherwise it is
 * gone, and whoever waits for it finds out by its own patience. Within one pair, messages arrive in order.
 */
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { Host, SimulatedProcess } from './host.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export class Network {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #cut = new Map<string, number>();
  readonly #arrivals = new Map<string, number>();
  /** Every way is slower by this, in ms. */
  extraMs = 0;

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  /** Cuts one direction until the answered function is called. */
  cut(from: string, to: string): () => void {
    const key = `${from}>${to}`;
    this.#cut.set(key, (this.#cut.get(key) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#cut.set(key, (this.#cut.get(key) ?? 1) - 1);
    };
  }

  isOpen(from: Host, to: Host): boolean {
    return from.isAwake && this.#arrives(from, to);
  }

  send(from: Host, to: Host, run: () => void): void {
    if (!this.isOpen(from, to)) return;
    const key = `${from.name}>${to.name}`;
    const delayMs = from === to ? 0.05 : this.#random.skewed(0.1, 2) + this.extraMs;
    const atMs = Math.max(this.#time.nowMs + delayMs, this.#arrivals.get(key) ?? 0);
    this.#arrivals.set(key, atMs);
    this.#time.after(atMs - this.#time.nowMs, () => {
      if (this.#arrives(from, to)) to.whenAwake(run);
    });
  }

  /**
   * Asks another machine's process. Rejects with AGENT_UNREACHABLE at once when nothing listens there, and after
   * `withinMs` when nothing comes back.
   */
  call<T>(
    from: SimulatedProcess,
    to: { readonly host: Host; readonly process: SimulatedProcess | null },
    work: () => Promise<T>,
    withinMs: number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = (run: () => void): void => {
        if (isOver) return;
        isOver = true;
        patience.cancel();
        from.deliver(run);
      };
      const refuse = () => settle(() => reject(new UnderstudyError('AGENT_UNREACHABLE', 'no answer')));
      const patience = this.#time.after(withinMs, refuse);
      this.send(from.host, to.host, () => {
        const { process } = to;
        if (process === null || !process.isAlive) {
          this.send(to.host, from.host, refuse);
          return;
        }
        process.deliver(() => {
          work().then(
            (value) => this.send(to.host, from.host, () => settle(() => resolve(value))),
            (error: unknown) => this.send(to.host, from.host, () => settle(() => reject(error))),
          );
        });
      });
    });
  }

  #arrives(from: Host, to: Host): boolean {
    return from === to || (!to.isDown && (this.#cut.get(`${from.name}>${to.name}`) ?? 0) === 0);
  }
}
