/**
 * One watch on a fake store: a position in the history that moves on as long as the way to the client lets it.
 *
 * Invariants, as for the drivers: in order, each revision once and whole, nothing after `lost` or after the end.
 */
import type { Clock } from '../../ports/clock.ts';
import type { StoreChange, StoreWatcher } from '../../ports/store.ts';
import type { StoreFaults } from './store.ts';
import type { FakeHistory } from './store-history.ts';

export interface FakeWatchParts {
  readonly history: FakeHistory;
  readonly clock: Clock;
  readonly faults: StoreFaults;
  readonly prefix: string;
  readonly fromRevision: number;
  readonly watcher: StoreWatcher;
  readonly signal: AbortSignal;
  /** Fires when the client is closed. */
  readonly ended: AbortSignal;
}

/** While the store is unreachable, how often that is looked at again. */
const silentPollMs = 100;

export function followHistory(parts: FakeWatchParts): void {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  parts.signal.addEventListener('abort', stop, { once: true });
  parts.ended.addEventListener('abort', stop, { once: true });
  const news = new News(stopped.signal);
  const unlisten = parts.history.listen(() => news.arrived());
  if (parts.signal.aborted || parts.ended.aborted) stop();
  void follow(parts, stopped.signal, news).finally(() => {
    unlisten();
    parts.signal.removeEventListener('abort', stop);
    parts.ended.removeEventListener('abort', stop);
  });
}

async function follow(parts: FakeWatchParts, stopped: AbortSignal, news: News): Promise<void> {
  const { history, faults, clock, prefix, watcher } = parts;
  const pause = (ms: number) => clock.sleep(ms, stopped).catch(() => undefined);
  let next = parts.fromRevision;
  for (;;) {
    await news.wait();
    const delayMs = faults.delayMs() + faults.slowMs;
    if (delayMs > 0) await pause(delayMs);
    while (isSilent(faults) && !stopped.aborted) await pause(silentPollMs);
    if (stopped.aborted) return;
    const past = history.from(next);
    if (past === null) {
      watcher.lost('the history from there on was compacted');
      return;
    }
    for (const { revision, changes } of past) {
      next = revision + 1;
      const ours = changes.flatMap((change) => withoutPrefix(change, prefix));
      if (ours.length > 0) watcher.changed(ours, revision);
      if (stopped.aborted) return;
    }
  }
}

function isSilent({ unreachable, repliesLost, watchesSilent }: StoreFaults): boolean {
  return unreachable || repliesLost || watchesSilent;
}

/** Something may have happened: at first, and whenever the history says so. */
class News {
  #waiting = true;
  #wake: (() => void) | null = null;

  constructor(stopped: AbortSignal) {
    stopped.addEventListener('abort', () => this.arrived(), { once: true });
  }

  arrived(): void {
    this.#waiting = true;
    this.#wake?.();
  }

  /** Never returns within the call that brought the news. */
  async wait(): Promise<void> {
    if (!this.#waiting) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    this.#waiting = false;
    await Promise.resolve();
  }
}

function withoutPrefix(change: StoreChange, prefix: string): readonly StoreChange[] {
  const key = change.kind === 'put' ? change.entry.key : change.key;
  if (!key.startsWith(prefix)) return [];
  const short = key.slice(prefix.length);
  return change.kind === 'put'
    ? [{ kind: 'put', entry: { ...change.entry, key: short } }]
    : [{ kind: 'removed', key: short, revision: change.revision }];
}
