/**
 * The servers of a fake cluster, as a test handles them.
 *
 * Invariant: each fault has its counterpart, and each may be asked for again when it is so already.
 */
import { ServerProxy } from './proxy/server-proxy.ts';
import type { Upstream } from './proxy/upstream.ts';
import { Snapshot } from './snapshot.ts';

export class FakeServer {
  readonly name: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #proxy: ServerProxy;

  constructor(name: string, proxy: ServerProxy) {
    this.name = name;
    this.#proxy = proxy;
    this.port = proxy.port;
  }

  /** Its connections break, and new ones are reset. Answers when everything that was under way has been rolled back. */
  async die(): Promise<void> {
    await this.#proxy.bar('died');
  }

  revive(): void {
    this.#proxy.admit('died');
  }

  /** It takes connections and statements, and answers none. */
  freeze(): void {
    this.#proxy.freeze(true);
  }

  /** What it was sent meanwhile is done now. */
  thaw(): void {
    this.#proxy.freeze(false);
  }

  async end(): Promise<void> {
    await this.#proxy.end();
  }
}

interface Lag {
  readonly snapshot: Snapshot;
  /** A replica that stands still does not follow to the next timeline. */
  readonly failovers: number;
}

export class FakeReplica extends FakeServer {
  readonly #upstream: Upstream;
  readonly #failovers: () => number;
  #lag: Lag | null = null;
  #isEnded = false;
  #turn: Promise<void> = Promise.resolve();

  private constructor(name: string, upstream: Upstream, failovers: () => number, proxy: ServerProxy) {
    super(name, proxy);
    this.#upstream = upstream;
    this.#failovers = failovers;
  }

  static async start(name: string, upstream: Upstream, failovers: () => number): Promise<FakeReplica> {
    let self: FakeReplica | null = null;
    const lag = (): Lag | null => (self === null ? null : self.#lag);
    const proxy = await ServerProxy.start({
      upstream,
      setting: 'default_transaction_read_only=on',
      commits: null,
      behaviour: () => ({
        face: {
          isStandby: true,
          standsAt: lag()?.snapshot.lsn ?? null,
          failovers: lag()?.failovers ?? failovers(),
        },
        snapshot: lag()?.snapshot ?? null,
        refusesWrites: false,
      }),
    });
    self = new FakeReplica(name, upstream, failovers, proxy);
    return self;
  }

  /**
   * From now on it shows the database as it is at this moment; called again, as it is then. Holds for transactions that
   * begin afterwards. Rejects as `pg` does.
   */
  async lag(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#isEnded) throw new Error('the fake cluster has ended');
      const failovers = this.#failovers();
      const before = this.#lag;
      this.#lag = { failovers, snapshot: await Snapshot.take(this.#upstream.config) };
      await before?.snapshot.release();
    });
  }

  /** It has everything again. A transaction that is open keeps what it sees. */
  async catchUp(): Promise<void> {
    await this.#inTurn(async () => {
      const before = this.#lag;
      this.#lag = null;
      await before?.snapshot.release();
    });
  }

  override async end(): Promise<void> {
    this.#isEnded = true;
    await super.end();
    await this.catchUp();
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    await mine;
  }
}
