/**
 * The one history behind a fake store: entries, revisions and what changed in each, as etcd keeps them.
 *
 * Invariant: revisions grow by one with every transaction that changes something, and all of its writes share one.
 * Refuses what etcd refuses, so that such a defect shows in the simulator and not only on a server.
 */
import { UnderstudyError } from '../../errors/understudy-error.ts';
import type {
  StoreChange,
  StoreCondition,
  StoreEntry,
  StoreSnapshot,
  StoreWrite,
  TransactionResult,
} from '../../ports/store.ts';

export interface PastRevision {
  readonly revision: number;
  /** With whole keys. */
  readonly changes: readonly StoreChange[];
}

/** What etcd takes in one transaction (`--max-txn-ops`). */
const maxOperations = 128;

export class FakeHistory {
  readonly #entries = new Map<string, StoreEntry>();
  readonly #listeners = new Set<() => void>();
  #past: PastRevision[] = [];
  /** etcd counts from 1; the first write makes it 2. */
  #revision = 1;
  #compacted = 0;

  get revision(): number {
    return this.#revision;
  }

  compact(revision: number): void {
    this.#compacted = Math.max(this.#compacted, Math.min(revision, this.#revision));
    this.#past = this.#past.filter((past) => past.revision >= this.#compacted);
    this.#tell();
  }

  read(key: string): string | null {
    return this.#entries.get(key)?.value ?? null;
  }

  snapshot(prefix: string): StoreSnapshot {
    const entries = new Map<string, StoreEntry>();
    for (const [key, entry] of [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!key.startsWith(prefix)) continue;
      const short = key.slice(prefix.length);
      entries.set(short, { ...entry, key: short });
    }
    return { revision: this.#revision, entries };
  }

  transact(prefix: string, conditions: readonly StoreCondition[], writes: readonly StoreWrite[]): TransactionResult {
    requireAcceptable(conditions, writes);
    const standing = (key: string) => this.#entries.get(prefix + key);
    const held = conditions.every(({ key, revision }) => (standing(key)?.revision ?? 'absent') === revision);
    if (held) return { committed: true, revision: this.#write(prefix, writes) };
    const found = new Map<string, StoreEntry>();
    for (const { key } of conditions) {
      const entry = standing(key);
      if (entry !== undefined) found.set(key, { ...entry, key });
    }
    return { committed: false, revision: this.#revision, found };
  }

  /** From `fromRevision` on, oldest first; `null` when some of it is gone. */
  from(fromRevision: number): readonly PastRevision[] | null {
    return fromRevision < this.#compacted ? null : this.#past.filter(({ revision }) => revision >= fromRevision);
  }

  /** `listener` is called after every change. Answers how to end that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #write(prefix: string, writes: readonly StoreWrite[]): number {
    const revision = this.#revision + 1;
    const changes: StoreChange[] = [];
    for (const write of writes) {
      const key = prefix + write.key;
      if ('remove' in write) {
        if (this.#entries.delete(key)) changes.push({ kind: 'removed', key, revision });
      } else {
        const entry = { key, value: write.value, revision };
        this.#entries.set(key, entry);
        changes.push({ kind: 'put', entry });
      }
    }
    // Like etcd: what changes nothing makes no revision.
    if (changes.length === 0) return this.#revision;
    this.#revision = revision;
    this.#past.push({ revision, changes });
    this.#tell();
    return revision;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function requireAcceptable(conditions: readonly StoreCondition[], writes: readonly StoreWrite[]): void {
  const looked = new Set([...conditions, ...writes].map(({ key }) => key));
  if (Math.max(conditions.length, writes.length, looked.size) > maxOperations) {
    throw new UnderstudyError('BROKEN_INVARIANT', `more than ${maxOperations} operations in one transaction`);
  }
  const puts = writes.flatMap((write) => ('remove' in write ? [] : [write.key]));
  const removed = new Set(writes.flatMap((write) => ('remove' in write ? [write.key] : [])));
  if (new Set(puts).size < puts.length || puts.some((key) => removed.has(key))) {
    throw new UnderstudyError('BROKEN_INVARIANT', 'a key is written twice in one transaction');
  }
}
