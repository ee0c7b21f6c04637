/**
 * The fence of a simulated node: the real rules (fence/warden.ts) over a simulated server, in a process that may die.
 *
 * Looks at its host's clock every `lookEveryMs` while there is anything to look for, and before every message, and
 * kills. One that was killed is begun anew by its agent, as soon as that runs, with the memory that the last one wrote
 * down; as in fence/client.ts, the agent then gives it the deadline that the last one had confirmed and not dropped.
 */
import { UnderstudyError } from '../../errors/understudy-error.ts';
import * as warden from '../../fence/warden.ts';
import type { Fence } from '../../ports/fence.ts';
import type { SimulatedProcess } from '../world/host.ts';
import type { Random } from '../world/random.ts';
import type { FakeServer } from './server.ts';
import type { ServerProcess } from './server-process.ts';

const lookEveryMs = 50;
const slowestKillMs = 450;
const answerWithinMs = 500;

interface Client {
  readonly agent: SimulatedProcess;
  confirmed: { readonly term: number; readonly deadlineMs: number } | null;
}

export class FakeFence {
  readonly #server: FakeServer;
  readonly #random: Random;
  #warden: warden.Warden | null = null;
  /** What is on its disk: `null` before anybody has spoken for it in this boot. */
  #memory: warden.WardenMemory | null = null;
  #client: Client | null = null;
  #isFrozen = false;
  #looking = false;
  #generation = 0;

  constructor(server: FakeServer, random: Random) {
    this.#server = server;
    this.#random = random;
  }

  kill(): void {
    this.#end();
    const client = this.#client;
    if (client === null) return;
    client.agent.deliver(() => {
      const { confirmed } = client;
      if (confirmed === null || client !== this.#client) return;
      // One that is refused is late: the next renewal finds out for itself.
      this.#ask(() =>
        this.#take(warden.extend(this.#begun(), confirmed.term, confirmed.deadlineMs, this.#nowMs())),
      ).catch(() => undefined);
    });
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
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
    this.#end();
    this.#memory = null;
    this.#client = null;
  }

  /** As that agent reaches it. */
  client(agent: SimulatedProcess): Fence {
    const client: Client = { agent, confirmed: null };
    this.#client = client;
    const ask = <T>(what: () => T): Promise<T> => agent.through(this.#ask(what));
    return {
      extend: async (term, deadlineMs) => {
        await ask(() => this.#take(warden.extend(this.#begun(), term, deadlineMs, this.#nowMs())));
        client.confirmed = { term, deadlineMs };
      },
      drop: async () => {
        client.confirmed = null;
        await ask(() => this.#drop());
        client.confirmed = null;
      },
      startPrimary: () => Promise.reject(new UnderstudyError('BROKEN_INVARIANT', 'starts go through `begin`')),
      promote: () => Promise.reject(new UnderstudyError('BROKEN_INVARIANT', 'promotions go through `begin`')),
      close: () => undefined,
    };
  }

  /** Performs something that makes the server writable, if it may now. */
  async makeWritable(act: () => ServerProcess): Promise<ServerProcess> {
    return await this.#ask(() => {
      this.#take(warden.mayWrite(this.#begun(), this.#nowMs()));
      return act();
    });
  }

  /** Starts a standby, and forgets the deadline in the same step. */
  async makeStandby(act: () => ServerProcess): Promise<ServerProcess> {
    if (this.#client !== null) this.#client.confirmed = null;
    return await this.#ask(() => {
      this.#take(warden.mayStandBy(this.#begun(), this.#seen()));
      return act();
    });
  }

  /** What a dead postmaster left is killed first, and waited for. */
  #drop(): void {
    if (this.#seen() === 'remnants') this.#server.kill();
    this.#glance();
    this.#take(warden.drop(this.#begun(), this.#seen()));
  }

  #take(answer: warden.Answer): void {
    if (!answer.ok) throw new UnderstudyError('REFUSED', `the fence refuses: ${answer.because}`);
    this.#warden = answer.warden;
    const { highestTerm, deadline, unattendedUntilMs } = answer.warden;
    this.#memory = unattendedUntilMs === null ? { highestTerm, deadline } : null;
    this.#look();
  }

  #ask<T>(what: () => T): Promise<T> {
    const { time, host } = this.#server;
    return new Promise((resolve, reject) => {
      const delayMs = this.#warden === null ? this.#random.between(40, 150) : this.#random.between(0.1, 0.5);
      time.after(delayMs, () =>
        host.whenAwake(() => {
          if (this.#isFrozen) {
            time.after(answerWithinMs, () =>
              reject(new UnderstudyError('FENCE_UNREACHABLE', 'the fence does not answer')),
            );
            return;
          }
          try {
            this.#begun();
            this.#glance();
            resolve(what());
          } catch (error) {
            reject(error);
          }
        }),
      );
    });
  }

  #begun(): warden.Warden {
    this.#warden ??= warden.begin(this.#memory, this.#nowMs());
    return this.#warden;
  }

  #end(): void {
    this.#warden = null;
    this.#looking = false;
    this.#generation += 1;
  }

  #nowMs(): number {
    return this.#server.host.boottimeMs();
  }

  #seen(): warden.ServerSeen {
    const { process } = this.#server;
    if (process === null) return 'none';
    return process.hasPostmaster ? process.role : 'remnants';
  }

  /** One look at the clock, and one blow. */
  #glance(): void {
    this.#warden = warden.look(this.#begun(), this.#nowMs(), this.#seen());
    if (!warden.mustKill(this.#warden)) return;
    const { process } = this.#server;
    if (process === null) {
      this.#warden = warden.swept(this.#warden);
      return;
    }
    this.#server.time.after(this.#random.skewed(1, slowestKillMs), () => {
      if (this.#server.process === process) this.#server.kill();
    });
  }

  #look(): void {
    if (this.#looking || this.#warden === null || warden.isIdle(this.#warden)) return;
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
          this.#glance();
          if (warden.isIdle(this.#begun())) this.#looking = false;
          else again();
        }),
      );
    };
    again();
  }
}
