/**
 * A store in memory, with the semantics of the real one (test/contracts/store.ts runs against both) and faults that can
 * be switched on: no answer, and no answer to a transaction that was applied nevertheless.
 *
 * Invariant: revisions grow by one with each transaction that writes; a watch reports each revision once and whole, in
 * order, and never from within the call that caused it. Prefixes share one history, as clusters share one etcd.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  CallOptions,
  Store,
  StoreChange,
  StoreCondition,
  StoreEntry,
  StoreWatcher,
  StoreWrite,
  TransactionResult,
} from '../ports/store.ts';

export interface StoreFaults {
  /** No call is answered, and watches fall silent; what they miss they report when it is over. */
  unreachable: boolean;
  /** So many of the next transactions are applied without an answer. */
  lostReplies: number;
}

export interface FakeStore {
  /** One client; every client of one prefix sees the same. */
  open(prefix: string): Store;
  readonly faults: StoreFaults;
  /** Forgets the history before this revision, as etcd does. */
  compact(revision: number): void;
  readonly revision: number;
}

interface Change {
  readonly key: string;
  readonly revision: number;
  /** `null`: removed. */
  readonly value: string | null;
}

interface Watch {
  readonly prefix: string;
  readonly watcher: StoreWatcher;
  readonly signal: AbortSignal;
  next: number;
}

export function createFakeStore(clock: Clock): FakeStore {
  return new Server(clock);
}

class Server implements FakeStore {
  readonly #clock: Clock;
  readonly #entries = new Map<string, StoreEntry>();
  readonly #watches = new Set<Watch>();
  #history: Change[] = [];
  #compacted = 0;
  #unreachable = false;
  revision = 1;
  readonly faults: StoreFaults;

  constructor(clock: Clock) {
    this.#clock = clock;
    const isUnreachable = () => this.#unreachable;
    const set = (unreachable: boolean): void => {
      this.#unreachable = unreachable;
      this.#deliverSoon();
    };
    this.faults = {
      get unreachable() {
        return isUnreachable();
      },
      set unreachable(value) {
        set(value);
      },
      lostReplies: 0,
    };
  }

  open(prefix: string): Store {
    const closed = new AbortController();
    return {
      readAll: async (call) => {
        await this.#answered(call);
        const ours = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
        const entries = ours.map((entry) => ({ ...entry, key: entry.key.slice(prefix.length) }));
        return { revision: this.revision, entries: new Map(entries.map((entry) => [entry.key, entry])) };
      },
      transact: (conditions, writes, call) => this.#transact(prefix, conditions, writes, call),
      watch: (fromRevision, watcher, signal) => {
        const either = AbortSignal.any([signal, closed.signal]);
        if (either.aborted) return;
        const watch = { prefix, watcher, signal: either, next: fromRevision };
        this.#watches.add(watch);
        either.addEventListener('abort', () => this.#watches.delete(watch), { once: true });
        this.#deliverSoon();
      },
      close: async () => closed.abort(),
    };
  }

  compact(revision: number): void {
    this.#compacted = revision;
    this.#history = this.#history.filter((change) => change.revision >= revision);
  }

  async #transact(
    prefix: string,
    conditions: readonly StoreCondition[],
    writes: readonly StoreWrite[],
    call: CallOptions,
  ): Promise<TransactionResult> {
    await this.#answered(call);
    const at = (key: string) => this.#entries.get(prefix + key);
    const holds = conditions.every(({ key, revision }) =>
      revision === 'absent' ? at(key) === undefined : at(key)?.revision === revision,
    );
    if (holds) this.#apply(prefix, writes);
    if (this.faults.lostReplies > 0) {
      this.faults.lostReplies -= 1;
      await this.#silence(call);
    }
    if (holds) return { committed: true, revision: this.revision };
    const found = new Map<string, StoreEntry>();
    for (const { key } of conditions) {
      const entry = at(key);
      if (entry !== undefined) found.set(key, { ...entry, key });
    }
    return { committed: false, revision: this.revision, found };
  }

  #apply(prefix: string, writes: readonly StoreWrite[]): void {
    const revision = this.revision + 1;
    const changes = writes
      .map((write): Change => ({ key: prefix + write.key, revision, value: 'remove' in write ? null : write.value }))
      .filter(({ key, value }) => value !== null || this.#entries.has(key));
    if (changes.length === 0) return;
    this.revision = revision;
    for (const { key, value } of changes) {
      if (value === null) this.#entries.delete(key);
      else this.#entries.set(key, { key, value, revision });
    }
    this.#history.push(...changes);
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    queueMicrotask(() => {
      if (this.#unreachable) return;
      for (const watch of [...this.#watches]) this.#deliver(watch);
    });
  }

  #deliver(watch: Watch): void {
    if (watch.next < this.#compacted) {
      this.#watches.delete(watch);
      watch.watcher.lost('the history from there on was compacted');
      return;
    }
    const due = this.#history.filter(({ key, revision }) => revision >= watch.next && key.startsWith(watch.prefix));
    watch.next = Math.max(watch.next, this.revision + 1);
    for (const revision of new Set(due.map((change) => change.revision))) {
      if (watch.signal.aborted) return;
      const together = due.filter((change) => change.revision === revision);
      watch.watcher.changed(
        together.map((change) => toChange(watch.prefix, change)),
        revision,
      );
    }
  }

  async #answered(call: CallOptions): Promise<void> {
    if (this.#unreachable || call.signal?.aborted === true) await this.#silence(call);
    // An answer never comes within the call itself.
    await Promise.resolve();
  }

  async #silence(call: CallOptions): Promise<never> {
    await this.#clock.sleep(call.withinMs, call.signal).catch(() => undefined);
    throw new UnderstudyError('STORE_UNREACHABLE', 'no answer from the store');
  }
}

function toChange(prefix: string, { key, revision, value }: Change): StoreChange {
  const relative = key.slice(prefix.length);
  if (value === null) return { kind: 'removed', key: relative, revision };
  return { kind: 'put', entry: { key: relative, value, revision } };
}
