/**
 * A `pg.Pool` that knows the cluster behind it. Puts the parts together; decides nothing.
 *
 * Invariant: whatever `pg.Pool` does it does unchanged: `query` and `connect` lead to whoever may be written to. The one
 * difference is on purpose: an idle connection that dies, as in every failover, does not end a process that listens to no
 * `error` event.
 */
import pg from 'pg';
import { channels, type ModeEvent } from './diagnostics/channels.ts';
import { isolated } from './diagnostics/isolated.ts';
import { ClusterError, PoolEndedError } from './errors.ts';
import {
  type ClusterPoolOptions,
  type Consistency,
  checkedConsistency,
  limit,
  type Settings,
  settingsOf,
} from './options.ts';
import { parseToken } from './positions/token.ts';
import { PrimaryAccess } from './primary/primary-access.ts';
import { primaryReads } from './primary/primary-reads.ts';
import type { ReadingClient } from './reading/readable.ts';
import { type ReadOptions, Reads } from './reading/reads.ts';
import type { Eligibility, LagLimits } from './routing/eligible.ts';
import { nearestFirst, roundRobin } from './routing/router.ts';
import { configsOf } from './server-configs.ts';
import { Meter } from './servers/meter.ts';
import { type MeteredServer, Metering } from './servers/metering.ts';
import { ServerConnections } from './servers/server-connections.ts';
import { CurrentSession } from './sessions/current-session.ts';
import { Session } from './sessions/session.ts';
import type { SessionHandle } from './sessions/session-handle.ts';
import type { ClusterStatus } from './status.ts';
import { type Runtime, realRuntime } from './timing/runtime.ts';
import { AgentStream } from './topology/agent-stream.ts';
import { Knowledge } from './topology/knowledge.ts';
import type { Mode } from './topology/mode.ts';
import type { Work } from './transactions/attempt.ts';
import { type OutcomeTable, outcomeTable } from './transactions/outcome-table.ts';
import { planOf, type TransactionOptions } from './transactions/transaction-options.ts';
import { Transactions } from './transactions/transactions.ts';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

export interface ReadingOptions extends ReadOptions {
  /** All statements see the same state. Default: each its own. */
  readonly isolation?: 'repeatable read';
}

export interface Reader {
  /** On a server that may serve it. A statement that writes fails (SQLSTATE 25006). */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string | pg.QueryConfig,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<R>>;
}

export interface RouteExplanation extends Eligibility {
  readonly router: string;
  /** Whom the router would choose now; `null`: none, so that the primary serves. */
  readonly first: string | null;
}

/** A measurement counts for this many intervals. */
const freshIntervals = 3;

export class ClusterPool extends pg.Pool {
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #sessions = new CurrentSession();
  readonly #knowledge: Knowledge;
  readonly #servers: ReadonlyMap<string, MeteredServer>;
  readonly #metering: Metering;
  readonly #primary: PrimaryAccess;
  readonly #reads: Reads;
  readonly #transactions: Transactions;
  readonly #agent: AgentStream | null;
  readonly #limits: LagLimits;
  /** What has to be run once, where idempotency keys are used: `outcomeTable.create`. */
  readonly outcomeTable: OutcomeTable;
  readonly #listeners = new Set<(event: ModeEvent) => void>();
  #mode: Mode = 'unknown';
  #dropped = 0;

  /** Throws OptionError. Connects to nobody before it is used, but follows the agent of this host. */
  constructor(options: ClusterPoolOptions = {}) {
    const settings = settingsOf(options);
    const configs = configsOf(options);
    super(configs.pool);
    this.on('error', () => undefined);
    this.#settings = settings;
    this.#runtime = options.runtime ?? realRuntime;
    const connect = async (): Promise<pg.PoolClient> => {
      if (this.ending) throw new PoolEndedError();
      return await super.connect();
    };
    this.#primary = new PrimaryAccess(connect, settings.probeWithinMs);
    this.#servers = new Map(
      configs.servers.map(({ guard, name, pool }) => [
        name,
        {
          connections: new ServerConnections(name, pool, guard),
          meter: new Meter(pool, settings.probeWithinMs, this.#runtime, () => this.#knowledge.lost(name)),
        },
      ]),
    );
    this.#knowledge = new Knowledge(configs.servers, settings.probeEveryMs * freshIntervals, this.#runtime);
    this.#knowledge.onChange(() => this.#changed());
    this.#metering = new Metering({
      servers: this.#servers,
      knowledge: this.#knowledge,
      runtime: this.#runtime,
      everyMs: settings.probeEveryMs,
      askPool: () => this.#primary.ask(),
    });
    this.#limits = { maxLagMs: settings.maxLagMs, maxLagBytes: settings.maxLagBytes };
    const router = options.router ?? roundRobin();
    this.#reads = new Reads({
      servers: new Map([...this.#servers].map(([name, { connections }]) => [name, connections])),
      primary: primaryReads(() => this.#primary.checkOutWithin(settings.readDeadlineMs), settings.readDeadlineMs),
      knowledge: this.#knowledge,
      metering: this.#metering,
      sessions: this.#sessions,
      router: settings.datacenter === null ? router : nearestFirst(router),
      runtime: this.#runtime,
      askPrimary: () => this.#primary.position(),
      datacenter: settings.datacenter,
      causalWaitMs: settings.causalWaitMs,
      deadlineMs: settings.readDeadlineMs,
    });
    this.outcomeTable = outcomeTable(settings.outcomeTable);
    this.#transactions = new Transactions({
      primary: this.#primary,
      outcomes: this.outcomeTable,
      knowledge: this.#knowledge,
      runtime: this.#runtime,
      dropped: () => {
        this.#dropped += 1;
      },
    });
    this.#agent = this.#follow(configs.topologySocket);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  // biome-ignore lint/suspicious/noConfusingVoidType: `pg` has it so
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const session = this.#sessions.get();
    if (session === undefined) return callback === undefined ? super.connect() : super.connect(callback);
    if (callback === undefined) return super.connect().then((client) => marking(session, client));
    super.connect((error, client, done) => {
      if (client === undefined) callback(error, client, done);
      else callback(error, marking(session, client), (release?: Error | boolean) => client.release(release));
    });
  }

  /** Reads where a replica may serve. Nothing is read before its `query`. */
  read(options: ReadOptions = {}): Reader {
    const limits = this.#limitsOf(options);
    const isAny = options.consistency === 'any';
    return {
      query: (text, values) => this.#reads.run(limits, isAny, (server) => server.query(text, values)),
    };
  }

  /**
   * Several statements on one server, in one READ ONLY transaction. `work` runs again, elsewhere, when its server fails.
   */
  async reading<T>(work: (client: ReadingClient) => Promise<T>, options: ReadingOptions = {}): Promise<T> {
    const begin =
      options.isolation === undefined ? 'BEGIN READ ONLY' : 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
    const limits = this.#limitsOf(options);
    return await this.#reads.run(limits, options.consistency === 'any', (server) => server.transaction(begin, work));
  }

  /**
   * A transaction on the primary, repeated while that is safe. `work` may run more than once, and does nothing that a
   * rollback does not undo. Throws what `work` throws, or a ClusterError whose `outcome` says what became of it.
   */
  async tx<T>(work: Work<T>, options: TransactionOptions & { readonly onReadOnly: 'drop' }): Promise<T | undefined>;
  async tx<T>(work: Work<T>, options?: TransactionOptions & { readonly onReadOnly?: 'fail' | 'wait' }): Promise<T>;
  async tx<T>(work: Work<T>, options: TransactionOptions = {}): Promise<T | undefined> {
    const plan = planOf(options, this.#settings);
    const ended = await this.#transactions.run(plan, this.#sessions.get(), work);
    return ended.is === 'done' ? ended.value : undefined;
  }

  /**
   * Runs `work` as one user's: its reads see what it wrote, and what the token of an earlier request names. Throws
   * TOKEN_INVALID for a text that is none; check what strangers send with `verifyToken` before.
   */
  async session<T>(
    token: string | null | undefined,
    work: (session: SessionHandle) => Promise<T>,
    options: { readonly consistency?: Consistency } = {},
  ): Promise<T> {
    const parsed = token === null || token === undefined ? null : parseToken(token);
    if (parsed === null && typeof token === 'string') {
      throw new ClusterError('TOKEN_INVALID', 'that is no token of a session', {
        outcome: 'not-sent',
        hint: 'tokens from outside go through verifyToken first',
      });
    }
    const consistency = checkedConsistency(options.consistency ?? this.#settings.consistency);
    const session = new Session(parsed, consistency, this.#runtime, this.#sessions.get());
    const handle = {
      token: () => session.token(() => this.#primary.position()),
      known: () => session.known(),
    };
    return await this.#sessions.run(session, () => work(handle));
  }

  /** `listener` is told whenever it changes whether anybody may write: for a banner. Answers what ends that. */
  onMode(listener: (event: ModeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How the cluster is; `onMode` tells when that changes. */
  status(): ClusterStatus {
    return {
      ...this.#knowledge.mode(),
      source: this.#knowledge.source(),
      primary: this.#knowledge.primaryName(),
      servers: this.#knowledge.beliefs(),
      dropped: this.#dropped,
    };
  }

  /** Where a read would go now, and why not elsewhere. */
  async explainRoute(options: ReadOptions = {}): Promise<RouteExplanation> {
    if (this.#servers.size > 0) await this.#metering.used();
    return this.#reads.explain(this.#limitsOf(options));
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    const others = this.#endOthers();
    const all = Promise.all([super.end(), others]).then(() => undefined);
    if (callback === undefined) return all;
    all.then(callback, callback);
  }

  async #endOthers(): Promise<void> {
    this.#agent?.stop();
    this.#metering.end();
    await Promise.all([...this.#servers.values()].map(({ connections }) => connections.end()));
  }

  #limitsOf({ maxLagBytes, maxLagMs }: ReadOptions): LagLimits {
    if (maxLagBytes === undefined && maxLagMs === undefined) return this.#limits;
    return {
      maxLagMs: limit('maxLagMs', maxLagMs) ?? this.#limits.maxLagMs,
      maxLagBytes: limit('maxLagBytes', maxLagBytes) ?? this.#limits.maxLagBytes,
    };
  }

  #follow(socketPath: string | null): AgentStream | null {
    if (socketPath === null) return null;
    const heard = this.#knowledge.heard.bind(this.#knowledge);
    const agent = new AgentStream({ socketPath, runtime: this.#runtime, heard });
    void agent.run();
    return agent;
  }

  #changed(): void {
    const { because, mode } = this.#knowledge.mode();
    if (mode === this.#mode) return;
    this.#mode = mode;
    const event = { mode, because, primary: this.#knowledge.primaryName() };
    for (const listener of this.#listeners) isolated(() => listener(event));
    if (channels.mode.hasSubscribers) channels.mode.publish(event);
  }
}

/** Until it is given back the session may write by it. */
function marking(session: Session, client: pg.PoolClient): pg.PoolClient {
  const returned = session.checkedOut();
  const release = client.release.bind(client);
  client.release = (error) => {
    // Whoever releases twice is told so by `pg`.
    release(error);
    returned();
  };
  return client;
}
