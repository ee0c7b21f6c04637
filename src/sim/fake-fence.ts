/**
 * The fence of a simulated node: the real rules (fence/warden.ts) over a simulated server, in a process that may die.
 *
 * Looks at its host's clock every `lookEveryMs` while a deadline stands, and kills. One that was killed is begun anew by
 * the next call of its agent, with the memory that the last one wrote down.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import * as warden from '../fence/warden.ts';
import type { Fence } from '../ports/fence.ts';
import type { FakeServer, ServerProcess } from './fake-server.ts';
import type { SimulatedProcess } from './host.ts';
import type { Random } from './random.ts';

const lookEveryMs = 50;
const slowestKillMs = 450;

export class FakeFence {
  readonly #server: FakeServer;
  readonly #random: Random;
  #warden: warden.Warden = warden.unarmed;
  #isAlive = true;
  #isFrozen = false;
  #looking = false;
  #generation = 0;

  constructor(server: FakeServer, random: Random) {
    this.#server = server;
    this.#random = random;
  }

  kill(): void {
    this.#isAlive = false;
    this.#generation += 1;
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#look();
  }

  /** The host went down: its memory is of a boot that is over. */
  forget(): void {
    this.kill();
    this.#warden = warden.unarmed;
  }

  /** As that agent reaches it. */
  client(agent: SimulatedProcess): Fence {
    const ask = <T>(what: () => T): Promise<T> => agent.through(this.#ask(what));
    return {
      extend: (term, deadlineMs) =>
        ask(() => {
          this.#take(warden.extend(this.#warden, term, deadlineMs));
          this.#look();
        }),
      drop: () =>
        ask(() => {
          this.#warden = warden.drop(this.#warden);
        }),
      startPrimary: () => Promise.reject(new UnderstudyError('BROKEN_INVARIANT', 'starts go through `begin`')),
      promote: () => Promise.reject(new UnderstudyError('BROKEN_INVARIANT', 'promotions go through `begin`')),
      close: () => undefined,
    };
  }

  /** Performs something that makes the server writable, if it may now. */
  async makeWritable(act: () => ServerProcess): Promise<ServerProcess> {
    return await this.#ask(() => {
      this.#take(warden.mayWrite(this.#warden, this.#nowMs()));
      return act();
    });
  }

  #take(answer: warden.Answer): void {
    if (!answer.ok) throw new UnderstudyError('REFUSED', `the fence refuses: ${answer.because}`);
    this.#warden = answer.warden;
  }

  #ask<T>(what: () => T): Promise<T> {
    const { time, host } = this.#server;
    return new Promise((resolve, reject) => {
      const wasDead = !this.#isAlive;
      const delayMs = wasDead ? this.#random.between(40, 150) : this.#random.between(0.1, 0.5);
      time.after(delayMs, () =>
        host.whenAwake(() => {
          if (wasDead) this.#begin();
          if (this.#isFrozen || !this.#isAlive) {
            time.after(500, () => reject(new UnderstudyError('FENCE_UNREACHABLE', 'the fence does not answer')));
            return;
          }
          try {
            resolve(what());
          } catch (error) {
            reject(error);
          }
        }),
      );
    });
  }

  #begin(): void {
    if (this.#isAlive) return;
    this.#isAlive = true;
    this.#looking = false;
    this.#look();
  }

  #nowMs(): number {
    return this.#server.host.boottimeMs();
  }

  #look(): void {
    if (this.#looking || this.#warden.deadline === null) return;
    this.#looking = true;
    const generation = this.#generation;
    const { time, host } = this.#server;
    const again = (): void => {
      time.after(lookEveryMs / host.rate, () =>
        host.whenAwake(() => {
          if (generation !== this.#generation) return;
          if (this.#isFrozen) {
            this.#looking = false;
            return;
          }
          if (warden.mustKill(this.#warden, this.#nowMs())) this.#strike();
          if (this.#warden.deadline === null) this.#looking = false;
          else again();
        }),
      );
    };
    again();
  }

  #strike(): void {
    if (this.#server.process === null) return;
    const { process } = this.#server;
    this.#server.time.after(this.#random.skewed(1, slowestKillMs), () => {
      if (this.#server.process === process) this.#server.kill();
    });
  }
}
