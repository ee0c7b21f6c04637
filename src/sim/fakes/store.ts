/**
 * A store in memory with etcd's meaning of revisions, transactions, watches and compaction, and with faults on demand.
 *
 * One history, never wrong, with any number of clients. Each may have faults of its own, so that one agent can be cut
 * off while others go on. Passes the same contract suite as the drivers.
 *
 * Invariants: the same calls in the same order give the same answers; time comes from the clock given and nowhere else;
 * nothing is reported from within the call that caused it. Does not model elections: whether anybody answers is a fault.
 */
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CallOptions, Store, StoreWrite } from '../../ports/store.ts';
import { FakeHistory } from './store-history.ts';
import { followHistory } from './store-watch.ts';

/** May be changed at any time. */
export interface StoreFaults {
  /** Nobody answers until a call's time is over, and nothing is carried out; watches are silent, and catch up later. */
  unreachable: boolean;
  /** What is asked arrives and is carried out; nothing comes back, and watches are silent. */
  repliesLost: boolean;
  /** Questions are answered, watches are silent. */
  watchesSilent: boolean;
  /** So many of the next transactions are carried out, and their answers lost. */
  lostReplies: number;
  /** So many of the next transactions are not answered, and carried out `lateByMs` after their callers gave up. */
  lateTransactions: number;
  lateByMs: number;
  /** Transactions that write this key are late as well; `null`: none is. */
  lateKey: string | null;
  /** Each way, in ms; asked for every call and every delivery of a watch. */
  delayMs: () => number;
  /** Each way takes so much longer, in ms. */
  slowMs: number;
  /** Answers, and only answers, take so much longer, in ms. */
  answersLateMs: number;
}

export interface FakeStore {
  readonly revision: number;
  /** Of the clients that were opened without faults of their own. */
  readonly faults: StoreFaults;
  /** The prefix ends with a slash. */
  open(prefix: string, faults?: StoreFaults): Store;
  /** Forgets the history before `revision`; entries stay. */
  compact(revision: number): void;
  /** The value at a whole key now, for whoever looks from outside. */
  read(key: string): string | null;
}

export function noFaults(): StoreFaults {
  return {
    unreachable: false,
    repliesLost: false,
    watchesSilent: false,
    lostReplies: 0,
    lateTransactions: 0,
    lateByMs: 0,
    lateKey: null,
    delayMs: () => 0,
    slowMs: 0,
    answersLateMs: 0,
  };
}

export function createFakeStore(clock: Clock): FakeStore {
  const history = new FakeHistory();
  const shared = noFaults();
  return {
    get revision() {
      return history.revision;
    },
    faults: shared,
    open: (prefix, faults = shared) => openClient(history, clock, prefix, faults),
    compact: (revision) => history.compact(revision),
    read: (key) => history.read(key),
  };
}

function openClient(history: FakeHistory, clock: Clock, prefix: string, faults: StoreFaults): Store {
  const ended = new AbortController();
  const link = new Link(clock, faults, ended.signal);
  return {
    readAll: (options) => link.call(options, () => history.snapshot(prefix)),
    transact: (conditions, writes, options) =>
      link.transact(options, writes, () => history.transact(prefix, conditions, writes)),
    watch(fromRevision, watcher, signal) {
      followHistory({ history, clock, faults, prefix, fromRevision, watcher, signal, ended: ended.signal });
    },
    async close() {
      ended.abort();
    },
  };
}

/** The way between one client and the store, and back. */
class Link {
  readonly #clock: Clock;
  readonly #faults: StoreFaults;
  readonly #ended: AbortSignal;

  constructor(clock: Clock, faults: StoreFaults, ended: AbortSignal) {
    this.#clock = clock;
    this.#faults = faults;
    this.#ended = ended;
  }

  async call<T>(options: CallOptions, work: () => T, isReplyLost = false): Promise<T> {
    const untilMs = this.#clock.boottimeMs() + options.withinMs;
    if (this.#faults.unreachable) return await this.#silence(untilMs, options);
    await this.#travel(untilMs, options);
    const answer = work();
    if (isReplyLost || this.#faults.repliesLost) return await this.#silence(untilMs, options);
    await this.#travel(untilMs, options, this.#faults.answersLateMs);
    return answer;
  }

  async transact<T>(options: CallOptions, writes: readonly StoreWrite[], work: () => T): Promise<T> {
    const faults = this.#faults;
    const isLate = faults.lateTransactions > 0 || writes.some(({ key }) => key === faults.lateKey);
    if (!faults.unreachable && isLate) {
      faults.lateTransactions = Math.max(0, faults.lateTransactions - 1);
      void this.#later(options.withinMs + faults.lateByMs, work);
      return await this.#silence(this.#clock.boottimeMs() + options.withinMs, options);
    }
    const isReplyLost = !faults.unreachable && faults.lostReplies > 0;
    if (isReplyLost) faults.lostReplies -= 1;
    return await this.call(options, work, isReplyLost);
  }

  async #travel(untilMs: number, options: CallOptions, lateMs = 0): Promise<void> {
    const delayMs = this.#faults.delayMs() + this.#faults.slowMs + lateMs;
    if (delayMs > untilMs - this.#clock.boottimeMs()) await this.#silence(untilMs, options);
    if (delayMs > 0) await this.#clock.sleep(delayMs, options.signal).catch(() => undefined);
    if (options.signal?.aborted === true || this.#ended.aborted) throw unreachable();
  }

  async #silence(untilMs: number, { signal }: CallOptions): Promise<never> {
    await this.#clock.sleep(Math.max(0, untilMs - this.#clock.boottimeMs()), signal).catch(() => undefined);
    throw unreachable();
  }

  async #later(ms: number, work: () => unknown): Promise<void> {
    await this.#clock.sleep(ms);
    work();
  }
}

function unreachable(): UnderstudyError {
  return new UnderstudyError('STORE_UNREACHABLE', 'no answer from the store');
}
