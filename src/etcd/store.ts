/**
 * The store over etcd (3.4 and later), by its JSON gateway.
 *
 * Reads are linearizable (etcd's default for Range), a snapshot's pages are of one revision, and a transaction is
 * repeated at another endpoint only where transaction.ts can tell what became of it. Revisions are safe integers.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  CallOptions,
  Store,
  StoreCondition,
  StoreEntry,
  StoreSnapshot,
  StoreWatcher,
  StoreWrite,
  TransactionResult,
} from '../ports/store.ts';
import { type Attempt, Endpoints } from './endpoints.ts';
import { type EtcdCredentials, type EtcdTls, Gateway } from './gateway.ts';
import { isRepeatable, judgeRepeat, transactionBody } from './transaction.ts';
import { watchPrefix } from './watch.ts';
import {
  afterKey,
  prefixEnd,
  rangeAnswer,
  type TransactionAnswer,
  toBase64,
  toEntry,
  transactionAnswer,
} from './wire.ts';

export interface EtcdStoreOptions {
  /** Like `https://10.0.1.10:2379`. */
  readonly endpoints: readonly string[];
  /** Of this cluster's keys; ends with a slash. */
  readonly prefix: string;
  /** A function is asked for each new connection; the same object as long as they are the same. */
  readonly tls: EtcdTls | (() => EtcdTls);
  readonly user: EtcdCredentials;
  readonly clock: Clock;
}

/** 200 entries of 200 KB stay well below what one answer may hold; ordinary clusters need one page. */
const pageSize = 200;

export function createEtcdStore(options: EtcdStoreOptions): Store {
  const { prefix, clock } = options;
  const gateway = new Gateway(options.tls, options.user);
  const endpoints = new Endpoints(options.endpoints, clock);
  const ended = new AbortController();
  return {
    readAll: (call) => readAll(gateway, endpoints, prefix, call),
    transact: (conditions, writes, call) => transact(gateway, endpoints, prefix, conditions, writes, call),
    watch(fromRevision: number, watcher: StoreWatcher, signal: AbortSignal) {
      watchPrefix({ gateway, endpoints, prefix, clock, fromRevision, watcher, signal, ended: ended.signal });
    },
    async close() {
      ended.abort();
      endpoints.close();
      await gateway.close();
    },
  };
}

async function readAll(
  gateway: Gateway,
  endpoints: Endpoints,
  prefix: string,
  call: CallOptions,
): Promise<StoreSnapshot> {
  // All pages in one turn: when an endpoint fails between two of them, the next one begins from the first.
  return await endpoints.inTurn(call, async ({ endpoint, call: left }) => {
    const entries = new Map<string, StoreEntry>();
    let from = toBase64(prefix);
    let revision = 0;
    for (;;) {
      const body = { key: from, range_end: prefixEnd(prefix), limit: String(pageSize), revision: String(revision) };
      const page = await gateway.post(endpoint, '/v3/kv/range', body, rangeAnswer, left);
      // Pages after the first name its revision; the header's would be the newest.
      if (revision === 0) revision = page.header.revision;
      for (const kv of page.kvs) {
        const entry = toEntry(prefix, kv);
        entries.set(entry.key, entry);
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { revision, entries };
      from = afterKey(last.key);
    }
  });
}

async function transact(
  gateway: Gateway,
  endpoints: Endpoints,
  prefix: string,
  conditions: readonly StoreCondition[],
  writes: readonly StoreWrite[],
  call: CallOptions,
): Promise<TransactionResult> {
  const body = transactionBody(prefix, conditions, writes);
  const repeatable = isRepeatable(conditions, writes);
  return await endpoints.inTurn(call, async (attempt: Attempt) => {
    if (attempt.maybeApplied && !repeatable) throw unknownOutcome(attempt.endpoint);
    const answer = await gateway.post(attempt.endpoint, '/v3/kv/txn', body, transactionAnswer, attempt.call);
    if (answer.succeeded) return { committed: true, revision: answer.header.revision };
    const found = entriesOf(answer, prefix);
    if (attempt.maybeApplied) {
      const verdict = judgeRepeat(conditions, writes, found);
      if (verdict.is === 'ours') return { committed: true, revision: verdict.revision };
      if (verdict.is === 'unknown') throw unknownOutcome(attempt.endpoint);
    }
    const compared = new Set(conditions.map(({ key }) => key));
    return {
      committed: false,
      revision: answer.header.revision,
      found: new Map([...found].filter(([key]) => compared.has(key))),
    };
  });
}

function entriesOf(answer: TransactionAnswer, prefix: string): ReadonlyMap<string, StoreEntry> {
  const found = answer.responses.flatMap(({ response_range }) => response_range?.kvs ?? []);
  return new Map(found.map((kv) => toEntry(prefix, kv)).map((entry) => [entry.key, entry]));
}

function unknownOutcome(endpoint: string): UnderstudyError {
  const text = `a transaction was not answered, and ${endpoint} can't tell whether it was applied`;
  return new UnderstudyError('STORE_UNREACHABLE', text);
}
