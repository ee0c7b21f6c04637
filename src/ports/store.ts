/**
 * What is asked of a store: linearizable reads, compare-and-set transactions, watches. Nothing else; no session and
 * no store-side time-out takes part in the lease (see core/lease.ts).
 *
 * Every driver passes `storeContract` (test/contracts/store.ts), also against the real server.
 * Keys are relative to the cluster's prefix. Values are text. Revisions grow with every write to the store.
 */
export interface StoreEntry {
  readonly key: string;
  readonly value: string;
  /** The store's revision at this key's last change. */
  readonly revision: number;
}

export interface StoreSnapshot {
  /** The store's revision at which all entries were read. A watch from `revision + 1` misses nothing. */
  readonly revision: number;
  readonly entries: ReadonlyMap<string, StoreEntry>;
}

export interface StoreCondition {
  readonly key: string;
  /** The key's last change must be this one. */
  readonly revision: number | 'absent';
}

export type StoreWrite =
  | { readonly key: string; readonly value: string }
  | { readonly key: string; readonly remove: true };

export type TransactionResult =
  | { readonly committed: true; readonly revision: number }
  /** A condition did not hold; `found` has what stands at the compared keys now (absent keys are missing). */
  | { readonly committed: false; readonly revision: number; readonly found: ReadonlyMap<string, StoreEntry> };

export type StoreChange =
  | { readonly kind: 'put'; readonly entry: StoreEntry }
  | { readonly kind: 'removed'; readonly key: string; readonly revision: number };

export interface StoreWatcher {
  /** In order of revision; all changes of one revision in one call. */
  changed(changes: readonly StoreChange[], revision: number): void;
  /** History before the asked revision is gone, or the watch can't go on: read everything again and watch anew. */
  lost(because: string): void;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Whole time for the call, over all endpoints. */
  readonly withinMs: number;
}

export interface Store {
  /** Linearizable read of everything under the prefix. Throws `UnderstudyError` STORE_UNREACHABLE, STORE_DENIED. */
  readAll(options: CallOptions): Promise<StoreSnapshot>;
  /**
   * All writes or none, when every condition holds. Throws STORE_UNREACHABLE when no answer came: then the
   * transaction may or may not have been applied, or may be applied later.
   */
  transact(
    conditions: readonly StoreCondition[],
    writes: readonly StoreWrite[],
    options: CallOptions,
  ): Promise<TransactionResult>;
  /** Reports changes from `fromRevision` on until the signal fires; reconnects by itself and misses nothing. */
  watch(fromRevision: number, watcher: StoreWatcher, signal: AbortSignal): void;
  close(): Promise<void>;
}
