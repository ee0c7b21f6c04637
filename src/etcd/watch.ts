/**
 * A watch over the prefix that misses nothing: resumed after the last reported revision whenever its stream breaks, and
 * made anew at the next endpoint whenever it is silent, since a stream to a frozen or partitioned member is silent for
 * ever. (The lease's renewals pass through every watch about once a second, so a healthy one is seldom made anew.)
 *
 * Invariants: changes are reported in order of revision, each revision once and whole (etcd splits no revision over two
 * messages unless `fragment` is asked for); after `lost`, or once the caller's signal has fired, nothing is reported.
 */
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreChange, StoreWatcher } from '../ports/store.ts';
import { durations } from '../timing/policies.ts';
import type { Endpoints } from './endpoints.ts';
import type { Gateway } from './gateway.ts';
import { linesOf } from './lines.ts';
import { prefixEnd, toBase64, toChange, type WatchMessage, watchMessage } from './wire.ts';

export interface WatchParts {
  readonly gateway: Gateway;
  readonly endpoints: Endpoints;
  readonly prefix: string;
  readonly clock: Clock;
  readonly fromRevision: number;
  readonly watcher: StoreWatcher;
  readonly signal: AbortSignal;
  /** Fires when the store is closed. */
  readonly ended: AbortSignal;
}

type Batch = { readonly revision: number; readonly changes: readonly StoreChange[] };
/** `refused`: the token is unknown there, or its user may not watch; etcd says the same of both. */
type StreamEnd = { readonly lost: string } | 'again' | 'refused';

/** Returns at once; everything after goes through the watcher. */
export function watchPrefix(parts: WatchParts): void {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  parts.signal.addEventListener('abort', stop, { once: true });
  parts.ended.addEventListener('abort', stop, { once: true });
  if (parts.signal.aborted || parts.ended.aborted) stop();
  follow(parts, stopped.signal)
    .then((because) => {
      if (because !== null && !stopped.signal.aborted) parts.watcher.lost(because);
    })
    // `follow` ends with a reason and does not reject; a defect in it must not leave a copy that nobody updates.
    .catch((error: unknown) => parts.watcher.lost(describeError(error)))
    .finally(() => {
      parts.signal.removeEventListener('abort', stop);
      parts.ended.removeEventListener('abort', stop);
    });
}

/** Answers why it can't go on; `null` when it was told to stop. */
async function follow(parts: WatchParts, signal: AbortSignal): Promise<string | null> {
  let next = parts.fromRevision;
  let wasRefused = false;
  for (let offset = 0; !signal.aborted; offset += 1) {
    const end = await followOnce(parts, parts.endpoints.at(offset), next, signal, (batch) => {
      next = batch.revision + 1;
      parts.watcher.changed(batch.changes, batch.revision);
    });
    if (signal.aborted) return null;
    if (typeof end === 'object') return end.lost;
    // The second time it was a new token, so it is the user: whoever reads anew learns why.
    if (end === 'refused' && wasRefused) return 'the store refuses to let this user watch';
    wasRefused = end === 'refused';
    await parts.clock.sleep(durations.storeRoundPauseMs, signal).catch(() => undefined);
  }
  return null;
}

async function followOnce(
  parts: WatchParts,
  endpoint: string,
  fromRevision: number,
  signal: AbortSignal,
  report: (batch: Batch) => void,
): Promise<StreamEnd> {
  const silence = new Silence(signal);
  try {
    const range = { key: toBase64(parts.prefix), range_end: prefixEnd(parts.prefix) };
    const body = { create_request: { ...range, start_revision: String(fromRevision) } };
    // A healthy member confirms at once; a frozen one must not be given as long as a confirmed stream.
    silence.allow(durations.storeEndpointMs);
    const stream = await parts.gateway.stream(endpoint, '/v3/watch', body, silence.signal);
    for await (const line of linesOf(stream.body)) {
      silence.allow(durations.storeWatchSilentMs);
      const message = watchMessage.parse(JSON.parse(line));
      const end = endOf(message);
      // etcd answers an unknown token on a watch as a permission denied, in the stream.
      if (end === 'again' || end === 'refused') parts.gateway.forgetToken(stream.token);
      if (end !== null) return end;
      for (const batch of batchesOf(parts.prefix, message, fromRevision)) {
        if (signal.aborted) return 'again';
        const failed = attempt(() => report(batch));
        if (failed !== null) return { lost: failed };
      }
    }
    return 'again';
  } catch (error) {
    if (error instanceof RangeError || isUnderstudyError(error, 'STORE_DENIED')) return { lost: error.message };
    return 'again';
  } finally {
    silence.end();
  }
}

/** A listener that threw has missed a change: it must read everything anew. */
function attempt(listener: () => void): string | null {
  try {
    listener();
    return null;
  } catch (error) {
    return `its listener failed: ${describeError(error)}`;
  }
}

/** Fires its signal after more silence than allowed, or with the signal above it. */
class Silence {
  readonly #controller = new AbortController();
  readonly #above: AbortSignal;
  readonly #cut = (): void => this.#controller.abort();
  #timer: NodeJS.Timeout | undefined;

  constructor(above: AbortSignal) {
    this.#above = above;
    above.addEventListener('abort', this.#cut, { once: true });
    if (above.aborted) this.#cut();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  allow(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#cut, ms);
  }

  /** Ends the stream too, if it still runs. */
  end(): void {
    clearTimeout(this.#timer);
    this.#above.removeEventListener('abort', this.#cut);
    this.#cut();
  }
}

function endOf({ error, result }: WatchMessage): StreamEnd | null {
  if (error !== undefined) return 'again';
  if (result?.canceled !== true) return null;
  return result.compact_revision > 0 ? { lost: 'the history from there on was compacted' } : 'refused';
}

function batchesOf(prefix: string, { result }: WatchMessage, fromRevision: number): readonly Batch[] {
  const byRevision = new Map<number, StoreChange[]>();
  for (const event of result?.events ?? []) {
    const change = toChange(prefix, event);
    const revision = change.kind === 'put' ? change.entry.revision : change.revision;
    if (revision < fromRevision) continue;
    const together = byRevision.get(revision);
    if (together === undefined) byRevision.set(revision, [change]);
    else together.push(change);
  }
  return [...byRevision].map(([revision, changes]) => ({ revision, changes }));
}
