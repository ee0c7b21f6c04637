/**
 * A primary and its replicas out of one ordinary server, for the tests of an application: each is a port of this process
 * behind which the server looks the part, and can be made to fail.
 *
 * Invariant: what readers of a replica that lags see is the database as it really was, and the position that it tells is
 * that of this state. Without a fault, replicas have everything at once. `end` leaves nothing open, whatever was wrong.
 */
import pg from 'pg';
import { OptionError } from '../errors.ts';
import type { ClusterPoolOptions } from '../options.ts';
import { type ArmedFault, CommitFaults } from './commit-faults.ts';
import { Failover } from './failover.ts';
import { ServerProxy } from './proxy/server-proxy.ts';
import { type Upstream, upstreamOf } from './proxy/upstream.ts';
import { FakeReplica, FakeServer } from './servers.ts';

export interface FakeClusterOptions {
  /** An ordinary server that may be written to: a URL or options of `pg`. Without TLS. One database is meant throughout. */
  readonly connection: string | pg.ClientConfig;
  /** How many; they are `replica1`, `replica2` and so on. Default: 2. */
  readonly replicas?: number;
}

const mostReplicas = 16;
const probeEveryMs = 50;

/**
 * Rejects as `pg` does when the server can't be reached, and with OptionError when it is none that can be written to.
 * To be ended by `end`.
 */
export async function startFakeCluster({ connection, replicas = 2 }: FakeClusterOptions): Promise<FakeCluster> {
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > mostReplicas) {
    throw new OptionError('replicas', `a whole number from 0 to ${mostReplicas}`);
  }
  const upstream = upstreamOf(connection);
  await checkWritable(upstream);
  const cluster = new FakeCluster(upstream);
  try {
    await cluster.open(replicas);
    return cluster;
  } catch (error) {
    await cluster.end();
    throw error;
  }
}

export class FakeCluster {
  readonly #upstream: Upstream;
  readonly #commits = new CommitFaults();
  readonly #replicas = new Map<string, FakeReplica>();
  #primary: { readonly server: FakeServer; readonly proxy: ServerProxy } | null = null;
  #failovers = 0;
  #failover: Failover | null = null;
  #isReadOnly = false;

  /** By `startFakeCluster`. */
  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** Once, by `startFakeCluster`. */
  async open(replicas: number): Promise<void> {
    const upstream = this.#upstream;
    const proxy = await ServerProxy.start({
      upstream,
      setting: null,
      commits: this.#commits,
      behaviour: () => ({
        face: { isStandby: this.#isReadOnly, standsAt: null, failovers: this.#failovers },
        snapshot: null,
        refusesWrites: this.#isReadOnly,
      }),
    });
    this.#primary = { server: new FakeServer('primary', proxy), proxy };
    for (let number = 1; number <= replicas; number += 1) {
      const name = `replica${number}`;
      this.#replicas.set(name, await FakeReplica.start(name, upstream, () => this.#failovers));
    }
  }

  get primary(): FakeServer {
    return this.#opened().server;
  }

  /** Throws OptionError when there is none of that name. */
  replica(name: string): FakeReplica {
    const replica = this.#replicas.get(name);
    if (replica === undefined) throw new OptionError('replica', `one of ${[...this.#replicas.keys()].join(', ')}`);
    return replica;
  }

  /** What `new ClusterPool(...)` takes. It looks at its servers every 50 ms, so that tests don't wait for that. */
  options(): ClusterPoolOptions {
    const servers = [...this.#replicas.values()].map(({ host, name, port }) => [name, { host, port }] as const);
    const { host, port } = this.primary;
    return {
      ...this.#upstream.login,
      host,
      port,
      replicas: Object.fromEntries(servers),
      topologySocket: null,
      probeEveryMs,
    };
  }

  /**
   * The next COMMIT through the primary is carried out (`committed: true`) or not, and its client loses the connection
   * instead of an answer. Not meant are commits without that word, and of transactions that were begun READ ONLY.
   */
  loseCommitAnswer({ committed }: { readonly committed: boolean }): ArmedFault {
    return this.#commits.arm(committed ? 'carried-out-unanswered' : 'not-carried-out');
  }

  /** The next COMMIT through the primary succeeds with the WARNING of a wait for standbys that was broken off. */
  notConfirmed(): ArmedFault {
    return this.#commits.arm('not-confirmed');
  }

  /**
   * Writes through the primary fail with SQLSTATE 25006, as when a pooler serves a standby in its place, until `false`. A
   * transaction under way is broken off.
   */
  async readOnly(isReadOnly: boolean): Promise<void> {
    if (isReadOnly === this.#isReadOnly) return;
    this.#isReadOnly = isReadOnly;
    if (isReadOnly) await this.#opened().proxy.cutBusy();
  }

  /**
   * The primary is gone with all its connections, and nobody can write; then another one takes its place on the next
   * timeline: after `forMs`, or by `promote()`. What was committed stays. Rejects while one is under way.
   */
  async failover({ forMs }: { readonly forMs?: number } = {}): Promise<Failover> {
    if (this.#failover?.isOver === false) throw new Error('a failover is under way: promote() ends it');
    const { proxy } = this.#opened();
    const failover = new Failover(() => {
      this.#failovers += 1;
      proxy.admit('failover');
    });
    this.#failover = failover;
    await proxy.bar('failover');
    if (forMs !== undefined) failover.promoteAfter(forMs);
    return failover;
  }

  /** Undoes every fault, for the end of a test. The timeline stays. */
  async heal(): Promise<void> {
    this.#commits.undoAll();
    this.#failover?.promote();
    await this.readOnly(false);
    for (const server of [this.primary, ...this.#replicas.values()]) {
      server.revive();
      server.thaw();
    }
    await Promise.all([...this.#replicas.values()].map((replica) => replica.catchUp()));
  }

  /** Ends everything. May be called again. */
  async end(): Promise<void> {
    this.#failover?.promote();
    await Promise.all([this.#primary?.server.end(), ...[...this.#replicas.values()].map((replica) => replica.end())]);
  }

  #opened(): { readonly server: FakeServer; readonly proxy: ServerProxy } {
    if (this.#primary === null) throw new Error('a fake cluster is started by startFakeCluster');
    return this.#primary;
  }
}

async function checkWritable({ config }: Upstream): Promise<void> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
    if (rows[0]?.standby !== false)
      throw new OptionError('connection', 'a server that may be written to, not a standby');
  } finally {
    await client.end();
  }
}
