/**
 * Repeats a transaction until it is committed, as long as that is safe, and finds out what became of a COMMIT that was
 * not answered.
 *
 *   an attempt ends as       then
 *   committed                done
 *   found                    done: an earlier transaction with this key was committed
 *   refused                  the caller's own error
 *   failed, rolled back      again after a while, in full jitter
 *   failed, unknown          with a key: again, which finds out; with an id: it is looked up; otherwise CommitUnknownError
 *
 * Invariant: one deadline bounds attempts, waits and questions together. Nothing that may have been committed is done again
 * but under its key, which the database itself admits only once.
 */
import { isDeepStrictEqual } from 'node:util';
import { channels, type SettledBy } from '../diagnostics/channels.ts';
import type { Outcome } from '../errors.ts';
import {
  ClusterError,
  CommitUnknownError,
  DurabilityNotConfirmedError,
  ReadOnlyModeError,
  TransactionGaveUpError,
} from '../errors.ts';
import type { Position } from '../positions/position.ts';
import type { Session } from '../sessions/session.ts';
import { fullJitterMs } from '../timing/backoff.ts';
import { Deadline } from '../timing/deadline.ts';
import type { Runtime } from '../timing/runtime.ts';
import type { Knowledge } from '../topology/knowledge.ts';
import { Attempt, type AttemptDeps, type Attempted, type Work } from './attempt.ts';
import { type AskedId, fateOf } from './transaction-id.ts';
import type { Plan } from './transaction-options.ts';

export interface TransactionsDeps extends AttemptDeps {
  readonly knowledge: Knowledge;
  readonly runtime: Runtime;
  /** A transaction was dropped, since nobody may write. */
  readonly dropped: () => void;
}

/** `dropped`: it was not done, and was not to wait. */
export type Ended<T> = { readonly is: 'done'; readonly value: T } | { readonly is: 'dropped' };

/** A server may refuse writes while the agent knows better: its connection is older than a failover. */
const refusalsBeforeBelief = 3;
/** Without an agent, a refusal counts this long; after it somebody has to try. */
const refusalCountsMs = 1_000;

export class Transactions {
  readonly #deps: TransactionsDeps;

  constructor(deps: TransactionsDeps) {
    this.#deps = deps;
  }

  async run<T>(plan: Plan, session: Session | undefined, work: Work<T>): Promise<Ended<T>> {
    const course = new Course<T>(this.#deps, plan, session, work);
    if (!channels.transaction.hasSubscribers) return await course.run();
    const startedAtMs = this.#deps.runtime.nowMs();
    const tell = (outcome: 'committed' | Outcome, error: unknown): void => {
      const durationMs = this.#deps.runtime.nowMs() - startedAtMs;
      const { attempts, settledBy } = course;
      const durability = plan.durability ?? 'default';
      channels.transaction.publish({ attempts, durationMs, durability, settledBy, outcome, error });
    };
    try {
      const ended = await course.run();
      tell(ended.is === 'done' ? 'committed' : 'not-sent', null);
      return ended;
    } catch (error) {
      tell(error instanceof ClusterError ? error.outcome : 'rolled-back', error);
      throw error;
    }
  }
}

class Course<T> {
  readonly #deps: TransactionsDeps;
  readonly #plan: Plan;
  readonly #session: Session | undefined;
  readonly #work: Work<T>;
  /** What an attempt had answered whose COMMIT was not; by its key it may turn out to be the one. */
  #unknownValue: { readonly of: T } | null = null;
  /** An attempt may have been committed, and no later one has shown that it was not. */
  #isUnknown = false;
  #refusals = 0;
  #last: unknown;
  #lastOutcome: Outcome = 'not-sent';
  attempts = 0;
  settledBy: SettledBy | null = null;

  constructor(deps: TransactionsDeps, plan: Plan, session: Session | undefined, work: Work<T>) {
    this.#deps = deps;
    this.#plan = plan;
    this.#session = session;
    this.#work = work;
  }

  async run(): Promise<Ended<T>> {
    const time = new Deadline(this.#plan.deadlineMs, this.#plan.signal);
    try {
      for (;;) {
        const barred = await this.#untilWritable(time);
        if (barred !== null) return barred;
        this.attempts += 1;
        const wantsPosition = this.#session?.isCausal === true && !this.#plan.isReadOnly;
        const attempt = new Attempt<T>(this.#deps, this.#plan, wantsPosition, time);
        const attempted = await attempt.run(this.attempts, this.#work);
        if (attempt.isAdmitted) {
          this.#isUnknown = false;
          this.#unknownValue = null;
        }
        const ended = await this.#judge(attempted, time);
        if (ended !== null) return ended;
        await this.#rest(time);
      }
    } finally {
      time.clear();
    }
  }

  /** `null`: go on. */
  async #untilWritable(time: Deadline): Promise<Ended<T> | null> {
    const { isReadOnly, onReadOnly } = this.#plan;
    for (let waits = 1; ; waits += 1) {
      this.#throwWhenOver(time);
      const { mode, because } = this.#deps.knowledge.mode();
      if (mode !== 'read-only' || isReadOnly) return null;
      if (this.#deps.knowledge.source() === 'probes' && this.#isWorthATry(waits)) return null;
      const barred = this.#barred(because, onReadOnly);
      if (barred !== null) return barred;
      await this.#untilChange(fullJitterMs({ baseMs: 100, capMs: 5_000 }, waits, this.#deps.runtime.draw()), time);
    }
  }

  /** Without an agent nobody but a server can say that writing is possible again. */
  #isWorthATry(waits: number): boolean {
    return waits > 1 || (this.#deps.knowledge.refusedAgoMs() ?? Number.POSITIVE_INFINITY) > refusalCountsMs;
  }

  #barred(because: string, onReadOnly: Plan['onReadOnly']): Ended<T> | null {
    if (onReadOnly === 'wait') return null;
    if (this.#isUnknown) throw new CommitUnknownError(this.#last);
    if (onReadOnly === 'fail') throw new ReadOnlyModeError(because, this.#lastOutcome, this.#last);
    this.#deps.dropped();
    return { is: 'dropped' };
  }

  async #judge(attempted: Attempted<T>, time: Deadline): Promise<Ended<T> | null> {
    switch (attempted.is) {
      case 'committed':
        this.#committed(attempted.position, 'answer');
        return this.#confirmed(attempted.isConfirmed, attempted.value);
      case 'found': {
        this.#committed(null, 'key');
        return this.#confirmed(attempted.isConfirmed, this.#found(attempted.json));
      }
      case 'refused':
        if (this.#isUnknown) throw new CommitUnknownError(attempted.error);
        throw attempted.error;
      case 'failed':
        return await this.#failed(attempted, time);
      default:
        return attempted satisfies never;
    }
  }

  /** What JSON kept is the caller's to know; what this call itself answered is there as it was, unless it was another call's. */
  #found(json: unknown): T {
    const own = this.#unknownValue;
    return own !== null && isDeepStrictEqual(asJson(own.of), json) ? own.of : kept<T>(json);
  }

  async #failed(failed: Extract<Attempted<T>, { is: 'failed' }>, time: Deadline): Promise<Ended<T> | null> {
    const { error, failure, id, value } = failed;
    // What stood in the way before says more than that there was no time left.
    if (!time.isOver || this.#last === undefined) this.#last = error;
    this.#lastOutcome = failure.outcome;
    if (failure.outcome === 'unknown') {
      if (value !== null && (id === 'wrote-nothing' || this.#plan.isReadOnly)) return { is: 'done', value: value.of };
      this.#isUnknown = true;
      this.#unknownValue = value;
      // Whoever looks whether it is there must not look where it may be missing.
      this.#session?.committed(null);
      if (this.#plan.key === null) return await this.#lookUp(id, value, time);
    }
    if (failure.kind === 'read-only') return this.#refused();
    return null;
  }

  /** SQLSTATE 25006. */
  #refused(): Ended<T> | null {
    const { knowledge } = this.#deps;
    if (this.#plan.isReadOnly) throw this.#last;
    this.#refusals += 1;
    knowledge.writeRefused();
    const isBelieved = knowledge.source() === 'probes' || this.#refusals >= refusalsBeforeBelief;
    return isBelieved ? this.#barred('the server refused to write', this.#plan.onReadOnly) : null;
  }

  /** `null`: it was rolled back, and may be done again. */
  async #lookUp(id: AskedId | null, value: { readonly of: T } | null, time: Deadline): Promise<Ended<T> | null> {
    if (id === null || id === 'wrote-nothing' || value === null) throw new CommitUnknownError(this.#last);
    const { primary, runtime } = this.#deps;
    for (let tries = 1; !time.isOver; tries += 1) {
      const fate = await primary
        .with(time, async (client) => await fateOf(client, id))
        .catch(() => 'in progress' as const);
      if (fate === 'committed') {
        this.#committed(null, 'id');
        // Nobody knows whether its wait for standbys was over.
        return this.#confirmed(this.#plan.durability === null || this.#plan.durability === 'local', value.of);
      }
      if (fate === 'aborted') {
        this.#isUnknown = false;
        this.#lastOutcome = 'rolled-back';
        return null;
      }
      if (fate === 'unknown') break;
      await this.#untilChange(fullJitterMs(this.#plan.backoff, tries + 1, runtime.draw()), time);
    }
    throw new CommitUnknownError(this.#last);
  }

  #committed(position: Position | null, settledBy: SettledBy): void {
    this.#isUnknown = false;
    this.settledBy = settledBy;
    if (this.#plan.isReadOnly) return;
    this.#deps.knowledge.writeWorked();
    this.#session?.committed(position);
  }

  #confirmed(isConfirmed: boolean, value: T): Ended<T> {
    if (!isConfirmed) throw new DurabilityNotConfirmedError(this.#plan.durability ?? 'replicated');
    return { is: 'done', value };
  }

  async #rest(time: Deadline): Promise<void> {
    if (this.attempts >= this.#plan.maxAttempts) this.#giveUp('that was the last attempt');
    const { runtime } = this.#deps;
    await this.#untilChange(fullJitterMs(this.#plan.backoff, this.attempts, runtime.draw()), time);
    this.#throwWhenOver(time);
  }

  /** A change of the cluster ends the wait. */
  async #untilChange(ms: number, time: Deadline): Promise<void> {
    const { knowledge, runtime } = this.#deps;
    const waking = new AbortController();
    const { mode } = knowledge.mode();
    const forget = time.onOver(() => waking.abort());
    const stop = knowledge.onChange(() => {
      if (knowledge.mode().mode !== mode) waking.abort();
    });
    await runtime.sleep(ms, waking.signal);
    stop();
    forget();
  }

  #throwWhenOver(time: Deadline): void {
    if (!time.isOver) return;
    if (this.#plan.signal?.aborted === true && !this.#isUnknown) throw this.#plan.signal.reason;
    const { because, mode } = this.#deps.knowledge.mode();
    if (mode === 'read-only' && !this.#isUnknown) throw new ReadOnlyModeError(because, this.#lastOutcome, this.#last);
    this.#giveUp(`no time is left of ${this.#plan.deadlineMs} ms`);
  }

  #giveUp(because: string): never {
    if (this.#isUnknown) throw new CommitUnknownError(this.#last);
    throw new TransactionGaveUpError(this.attempts, because, this.#lastOutcome, this.#last);
  }
}

function asJson(value: unknown): unknown {
  const json = JSON.stringify(value);
  return json === undefined ? undefined : JSON.parse(json);
}

/** By the caller's own word: the one who gave the key says what kind of value he keeps under it. */
function kept<T>(json: unknown): T;
function kept(json: unknown): unknown {
  return json;
}
