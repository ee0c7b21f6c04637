/** What a transaction may ask for. Pure. Wrong options are an OptionError before anything is sent. */
import { OptionError } from '../errors.ts';
import { duration, type OnReadOnly } from '../options.ts';
import type { Backoff } from '../timing/backoff.ts';

/** Where a commit must be before it is answered: `synchronous_commit` for this transaction (documentation 20.5.1). */
export type Durability = 'local' | 'remote_write' | 'on' | 'remote_apply';
export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export interface RetryOptions {
  /** Default: as many as the deadline allows. */
  readonly maxAttempts?: number;
  /** Of the wait before an attempt, which is drawn from nothing to a bound that doubles. Default: 20 and 2,000 ms. */
  readonly baseMs?: number;
  readonly capMs?: number;
}

export interface TransactionOptions {
  /** Default: the server's. */
  readonly durability?: Durability;
  /** Default: the server's. */
  readonly isolation?: Isolation;
  /** Nothing will be written: it may run while nobody may write, if it finds a server. */
  readonly readOnly?: boolean;
  /** All attempts and waits together, in ms. Default: the pool's. */
  readonly deadlineMs?: number;
  /** `false`: a single attempt. What may be repeated safely is repeated by default. */
  readonly retry?: boolean | RetryOptions;
  /**
   * Names the work: of all transactions with the same key one is committed, ever. A later one with it does nothing, and
   * answers what the first one did, as JSON keeps it. Needs the table of outcomes.
   */
  readonly idempotencyKey?: string;
  /** Asks for the transaction's id before its COMMIT, one round trip more, so that a lost answer can be looked up. */
  readonly xactStatus?: boolean;
  /** While nobody may write. Default: the pool's. */
  readonly onReadOnly?: OnReadOnly;
  /** Ends it: rolled back, unless COMMIT was sent. */
  readonly signal?: AbortSignal;
}

export interface Plan {
  readonly durability: Durability | null;
  readonly isolation: Isolation | null;
  readonly isReadOnly: boolean;
  readonly deadlineMs: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly key: string | null;
  readonly asksForId: boolean;
  readonly onReadOnly: OnReadOnly;
  readonly signal: AbortSignal | null;
}

const durabilities: readonly string[] = ['local', 'remote_write', 'on', 'remote_apply'];
const isolations: readonly string[] = ['read committed', 'repeatable read', 'serializable'];
const longestKey = 255;
/** NUL has no place in a text of PostgreSQL; halves of a character all become the same sign. */
const unwritable = /[\0\p{Surrogate}]/u;

/** Throws OptionError. */
export function planOf(
  options: TransactionOptions,
  defaults: { readonly deadlineMs: number; readonly onReadOnly: OnReadOnly },
): Plan {
  const { durability, idempotencyKey, isolation, onReadOnly } = options;
  // They become part of a statement.
  oneOf('durability', durability, durabilities);
  oneOf('isolation', isolation, isolations);
  oneOf('onReadOnly', onReadOnly, ['fail', 'wait', 'drop']);
  if (idempotencyKey !== undefined && !isKey(idempotencyKey)) {
    throw new OptionError('idempotencyKey', `a text of 1 to ${longestKey} characters, whole ones and without NUL`);
  }
  if (idempotencyKey !== undefined && options.readOnly === true) {
    throw new OptionError('idempotencyKey', 'left out of a read-only transaction, which can be repeated anyway');
  }
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new OptionError('signal', 'an AbortSignal');
  }
  const retry = typeof options.retry === 'object' ? options.retry : {};
  const most = options.retry === false ? 1 : Number.POSITIVE_INFINITY;
  return {
    durability: durability ?? null,
    isolation: isolation ?? null,
    isReadOnly: options.readOnly ?? false,
    deadlineMs: duration('deadlineMs', options.deadlineMs, defaults.deadlineMs, 1),
    maxAttempts: duration('retry.maxAttempts', retry.maxAttempts, most, 1),
    backoff: {
      baseMs: duration('retry.baseMs', retry.baseMs, 20, 0),
      capMs: duration('retry.capMs', retry.capMs, 2_000, 0),
    },
    key: idempotencyKey ?? null,
    asksForId: options.xactStatus ?? false,
    onReadOnly: onReadOnly ?? defaults.onReadOnly,
    signal: options.signal ?? null,
  };
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' && key.length >= 1 && key.length <= longestKey && !unwritable.test(key);
}

function oneOf(option: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || (typeof value === 'string' && allowed.includes(value))) return;
  throw new OptionError(option, `one of ${allowed.map((each) => `'${each}'`).join(', ')}`);
}
