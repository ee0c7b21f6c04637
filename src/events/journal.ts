/**
 * The latest events, as one agent knows them: what `events` shows and followers hear.
 *
 * Invariant: sorted by sequence number, each number once, at most `limit` of them (the newest), and each heard once by
 * every listener. Events may be taken again and in any order: a store is read anew after a lost watch. Keeps nothing on disk.
 */
import type { EventRecord } from './catalogue.ts';

export interface EventJournal {
  /** Answers how many of them were new. */
  take(events: readonly EventRecord[]): number;
  /** Those with a higher sequence number, oldest first. */
  after(sequence: number): readonly EventRecord[];
  /** The highest sequence number seen; 0 before the first. */
  readonly last: number;
  /** Calls back with each new event until the answered function is called. */
  onEvent(listener: (event: EventRecord) => void): () => void;
}

export const eventsKept = 500;

export function createEventJournal(limit: number = eventsKept): EventJournal {
  let kept: EventRecord[] = [];
  let last = 0;
  /** Numbers up to here were dropped for room: a late one is not new any more. */
  let dropped = 0;
  const listeners = new Set<(event: EventRecord) => void>();
  return {
    take(events) {
      const known = new Set(kept.map(({ sequence }) => sequence));
      const fresh: EventRecord[] = [];
      for (const event of events.toSorted((a, b) => a.sequence - b.sequence)) {
        if (event.sequence <= dropped || known.has(event.sequence)) continue;
        known.add(event.sequence);
        fresh.push(event);
      }
      if (fresh.length === 0) return 0;
      const all = [...kept, ...fresh].sort((a, b) => a.sequence - b.sequence);
      kept = all.slice(-limit);
      dropped = all.at(-limit - 1)?.sequence ?? dropped;
      last = Math.max(last, all.at(-1)?.sequence ?? 0);
      // A listener may leave while it is called.
      for (const listener of [...listeners]) for (const event of fresh) listener(event);
      return fresh.length;
    },
    after: (sequence) => kept.slice(indexAfter(kept, sequence)),
    get last() {
      return last;
    },
    onEvent(listener) {
      // Its own function, so that one listener may be here twice.
      const own = (event: EventRecord): void => listener(event);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
  };
}

function indexAfter(events: readonly EventRecord[], sequence: number): number {
  const index = events.findIndex((event) => event.sequence > sequence);
  return index === -1 ? events.length : index;
}
