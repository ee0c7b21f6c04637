/** A watcher that remembers what it was told, and waits for more with a deadline. */
import type { Store, StoreChange } from '../../src/ports/store.ts';

export interface Watched {
  readonly calls: readonly { readonly changes: readonly StoreChange[]; readonly revision: number }[];
  readonly lost: readonly string[];
  revisions(): readonly number[];
  /** Resolves when the condition holds, which is looked at whenever the watcher is told something. */
  until(condition: () => boolean): Promise<void>;
  end(): void;
}

const withinMs = 15_000;

export function watched(store: Store, fromRevision: number): Watched {
  const calls: { changes: readonly StoreChange[]; revision: number }[] = [];
  const lost: string[] = [];
  const ended = new AbortController();
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const again of [...waiting]) again();
  };
  store.watch(
    fromRevision,
    {
      changed(changes, revision) {
        calls.push({ changes, revision });
        look();
      },
      lost(because) {
        lost.push(because);
        look();
      },
    },
    ended.signal,
  );
  return {
    calls,
    lost,
    revisions: () => calls.map(({ revision }) => revision),
    end: () => ended.abort(),
    async until(condition) {
      await new Promise<void>((resolve, reject) => {
        const told = () => `${calls.length} changes, lost: ${lost.join(', ') || 'no'}`;
        const timer = setTimeout(
          () => settle(() => reject(new Error(`the watch was not told in time (${told()})`))),
          withinMs,
        );
        const settle = (how: () => void): void => {
          clearTimeout(timer);
          waiting.delete(again);
          how();
        };
        const again = (): void => {
          if (condition()) settle(resolve);
        };
        waiting.add(again);
        again();
      });
    },
  };
}
