/**
 * One attempt at a transaction, from a connection to its end.
 *
 *   connect -> begin -> body -> commit
 *
 * Invariant: the phase is raised before its statement is sent, so that what is unknown is never called rolled back. A
 * connection goes back to the pool only when its transaction has ended cleanly. Repeats nothing: see transactions.ts.
 */
import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { ClusterError, TransactionEndedError, TransactionRolledBackError } from '../errors.ts';
import { type Failure, judgeFailure, type Phase, sqlstateOf } from '../failure.ts';
import { type Position, parseSelf, primaryQuery } from '../positions/position.ts';
import type { PrimaryAccess } from '../primary/primary-access.ts';
import { resultsOf } from '../several-results.ts';
import type { Deadline } from '../timing/deadline.ts';
import type { OutcomeTable } from './outcome-table.ts';
import { type AskedId, askForId } from './transaction-id.ts';
import type { Plan } from './transaction-options.ts';

/** What the caller's function is given. */
export interface Transaction {
  /** Not for COMMIT and ROLLBACK, but of savepoints: the transaction ends with its function. */
  query<R extends QueryResultRow = QueryResultRow>(
    text: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>>;
  /** For what wants a client of `pg`. It goes back by itself; don't end the transaction by it. */
  readonly client: PoolClient;
  /** 1 for the first. */
  readonly attempt: number;
}

export type Work<T> = (transaction: Transaction) => Promise<T>;

export type Attempted<T> =
  /** `isConfirmed`: as durable as was asked for. */
  | { readonly is: 'committed'; readonly value: T; readonly position: Position | null; readonly isConfirmed: boolean }
  /** An earlier transaction had the key. `json`: what it kept. */
  | { readonly is: 'found'; readonly json: unknown; readonly isConfirmed: boolean }
  /** `value`: what the caller's function had answered, when COMMIT was sent. */
  | {
      readonly is: 'failed';
      readonly failure: Failure;
      readonly error: unknown;
      /** `null`: it was not asked for. */
      readonly id: AskedId | null;
      readonly value: { readonly of: T } | null;
    }
  /** The caller's own error, or that of his statement. */
  | { readonly is: 'refused'; readonly error: unknown };

export interface AttemptDeps {
  readonly primary: PrimaryAccess;
  readonly outcomes: OutcomeTable;
}

/** That a wait for standbys was cancelled is told by a WARNING alone, which a role may have switched off. */
const hearWarnings = `SELECT set_config('client_min_messages', 'warning', true)
 WHERE current_setting('client_min_messages') IN ('error', 'fatal', 'panic')`;
/** The WARNING of a COMMIT that ended nothing. */
const noTransaction = '25P01';

export class Attempt<T> {
  readonly #deps: AttemptDeps;
  readonly #plan: Plan;
  readonly #wantsPosition: boolean;
  readonly #time: Deadline;
  #phase: Phase = 'connect';
  #isLost = false;
  #isUnconfirmed = false;
  /** The caller's function is at work: its statements are welcome. */
  #isWorking = false;
  #isEndedByWork = false;
  #isAdmitted = false;
  /** COMMIT was answered, whatever befell the connection then. */
  #isCommitted = false;
  #id: AskedId | null = null;
  #value: { readonly of: T } | null = null;

  constructor(deps: AttemptDeps, plan: Plan, wantsPosition: boolean, time: Deadline) {
    this.#deps = deps;
    this.#plan = plan;
    this.#wantsPosition = wantsPosition;
    this.#time = time;
  }

  /** Its key was new: no earlier transaction with it was committed, and none under way can be any more. */
  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  /** Never rejects. */
  async run(number: number, work: Work<T>): Promise<Attempted<T>> {
    let client: PoolClient;
    try {
      client = await this.#deps.primary.checkOut(this.#time);
    } catch (error) {
      return this.#failed(error);
    }
    const release = this.#watch(client);
    const attempted = await this.#through(client, number, work).catch((error) => this.#judged(client, error));
    release(this.#isLost || this.#isEndedByWork || attempted.is === 'failed');
    return attempted;
  }

  async #through(client: PoolClient, number: number, work: Work<T>): Promise<Attempted<T>> {
    const { key } = this.#plan;
    this.#phase = 'begin';
    const begun = await client.query(this.#beginning());
    this.#phase = 'body';
    if (key !== null && lastOf(begun)?.rowCount === 0) return await this.#find(client, key);
    this.#isAdmitted = key !== null;
    const value = await this.#worked(client, number, work);
    this.#value = { of: value };
    if (this.#plan.asksForId) this.#id = await askForId(client);
    const ending = this.#ending(value);
    this.#phase = 'commit';
    const answer = resultsOf(await client.query(ending.text));
    const commit = answer[ending.commitAt];
    if (this.#isEndedByWork) throw new TransactionEndedError();
    if (commit?.command === 'COMMIT') {
      const position = ending.positionAt === null ? null : positionIn(answer[ending.positionAt]);
      return { is: 'committed', value, position, isConfirmed: !this.#isUnconfirmed };
    }
    return { is: 'refused', error: new TransactionRolledBackError() };
  }

  async #worked(client: PoolClient, attempt: number, work: Work<T>): Promise<T> {
    const query: Transaction['query'] = async (text, values) => {
      // The connection may be somebody else's by now.
      if (!this.#isWorking) throw new TransactionEndedError();
      return await client.query(text, values === undefined ? undefined : [...values]);
    };
    this.#isWorking = true;
    try {
      const value = await this.#time.before(work({ query, client, attempt }));
      if (this.#isEndedByWork) throw new TransactionEndedError();
      return value;
    } finally {
      this.#isWorking = false;
    }
  }

  /** All of it in one round trip. */
  #beginning(): string {
    const { durability, isolation, isReadOnly, key } = this.#plan;
    const level = isolation === null ? '' : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;
    const statements = [`BEGIN${level}${isReadOnly ? ' READ ONLY' : ''}`];
    if (durability !== null) statements.push(`SET LOCAL synchronous_commit TO ${durability}`);
    if (mustConfirm(durability)) statements.push(hearWarnings);
    if (key !== null) statements.push(this.#deps.outcomes.insert(key));
    return statements.join('; ');
  }

  #ending(value: T): { readonly text: string; readonly commitAt: number; readonly positionAt: number | null } {
    const { key } = this.#plan;
    const json = key === null || value === undefined ? undefined : JSON.stringify(value);
    const kept = key === null || json === undefined ? [] : [this.#deps.outcomes.keep(key, json)];
    const asked = this.#wantsPosition ? [primaryQuery] : [];
    const text = [...kept, 'COMMIT', ...asked].join('; ');
    return { text, commitAt: kept.length, positionAt: this.#wantsPosition ? kept.length + 1 : null };
  }

  /** The key is there: what it names was committed, and this transaction has done nothing. */
  async #find(client: PoolClient, key: string): Promise<Attempted<T>> {
    const { durability } = this.#plan;
    const { rows } = await client.query<{ result: unknown }>(this.#deps.outcomes.find, [key]);
    // Nobody knows for what the first one's wait for standbys ended. That of a write behind it shows that both are there.
    if (mustConfirm(durability)) await client.query(this.#deps.outcomes.confirm, [key]);
    await client.query('COMMIT');
    return { is: 'found', json: rows[0]?.result ?? undefined, isConfirmed: !this.#isUnconfirmed };
  }

  /** Listens for what befalls the connection; answers what gives it back. */
  #watch(client: PoolClient): (destroy: boolean) => void {
    const lost = (): void => {
      this.#isLost = true;
    };
    const abort = (): void => {
      lost();
      client.connection.stream.destroy();
    };
    const noticed = (notice: { readonly code?: string | undefined; readonly routine?: string | undefined }): void => {
      if (this.#phase === 'commit' && notice.code === noTransaction) this.#isEndedByWork = true;
      // Its WARNING is translated, the function that raises it is not (src/backend/replication/syncrep.c).
      if (notice.routine === 'SyncRepWaitForLSN') this.#isUnconfirmed = true;
    };
    const completed = ({ text }: { readonly text: string }): void => {
      if (text !== 'COMMIT' && text !== 'PREPARE TRANSACTION') return;
      if (this.#isWorking) this.#isEndedByWork = true;
      else if (this.#phase === 'commit') this.#isCommitted = true;
    };
    const ready = ({ status }: { readonly status: string }): void => {
      if (this.#isWorking && status === 'I') this.#isEndedByWork = true;
    };
    const { connection, release } = client;
    // It goes back when its transaction has ended, and not before, whoever means to be its owner.
    client.release = () => undefined;
    client.on('error', lost);
    client.on('end', lost);
    client.on('notice', noticed);
    connection.on('commandComplete', completed);
    connection.on('readyForQuery', ready);
    const forget = this.#time.onOver(abort);
    return (destroy) => {
      forget();
      connection.off('commandComplete', completed);
      connection.off('readyForQuery', ready);
      client.off('error', lost);
      client.off('end', lost);
      client.off('notice', noticed);
      client.release = release;
      release(destroy);
    };
  }

  async #judged(client: PoolClient, error: unknown): Promise<Attempted<T>> {
    // A connection that broke tells its query before it tells its listeners.
    if (serversOf(error) === null) await new Promise((resolve) => setImmediate(resolve));
    if (this.#isEndedByWork) return { is: 'refused', error: new TransactionEndedError(error) };
    if (this.#isCommitted && this.#value !== null) {
      // Only what came behind COMMIT failed.
      this.#isLost = true;
      return { is: 'committed', value: this.#value.of, position: null, isConfirmed: !this.#isUnconfirmed };
    }
    const failed = this.#failed(error);
    if (failed.is !== 'refused' || this.#isLost) return failed;
    const isEnded = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    );
    if (!isEnded) this.#isLost = true;
    return failed;
  }

  #failed(error: unknown): Attempted<T> {
    const failure = judgeFailure(serversOf(error) ?? error, this.#phase, this.#isLost || this.#time.isOver);
    if (failure.kind === 'statement' && failure.outcome !== 'unknown' && !this.#isLost) {
      return { is: 'refused', error: this.#explained(error) };
    }
    return { is: 'failed', failure, error, id: this.#id, value: this.#value };
  }

  #explained(error: unknown): unknown {
    if (this.#phase !== 'begin' || this.#plan.key === null || sqlstateOf(error) !== '42P01') return error;
    return new ClusterError('OPTION_INVALID', 'there is no table of outcomes', {
      outcome: 'rolled-back',
      hint: 'make it once, by a role that may make tables: db.outcomeTable.create is the statement',
      cause: error,
    });
  }
}

function mustConfirm(durability: Plan['durability']): boolean {
  return durability !== null && durability !== 'local';
}

/** Object mappers wrap what the server said. */
function serversOf(error: unknown): Error | null {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if (sqlstateOf(current) !== null) return current;
    current = current.cause;
  }
  return null;
}

function lastOf(answer: QueryResult | readonly QueryResult[]): QueryResult | undefined {
  return resultsOf(answer).at(-1);
}

function positionIn(result: QueryResult | undefined): Position | null {
  const self = parseSelf(result?.rows[0]);
  return self?.role === 'primary' ? self.position : null;
}
