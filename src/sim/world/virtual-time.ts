/**
 * The one clock and the one queue of a simulated world: what happens, in order of time, and nothing at the same time.
 *
 * Invariant: between two events every promise that can go on has gone on, so the order of everything follows from the
 * queue alone; events of one instant run in the order in which they were asked for. Times are in ms since the world
 * began; hosts have clocks of their own (host.ts).
 */
export interface Scheduled {
  cancel(): void;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

export class VirtualTime {
  readonly #heap: Entry[] = [];
  #nowMs = 0;
  #order = 0;
  #events = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  get events(): number {
    return this.#events;
  }

  after(ms: number, run: () => void): Scheduled {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    this.#push(entry);
    return {
      cancel() {
        entry.run = null;
      },
    };
  }

  /** Runs until `untilMs`, or until `isOver` after some event. Rejects with what an event throws. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    await settled();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      const { run } = next;
      if (run === null) continue;
      this.#nowMs = next.atMs;
      this.#events += 1;
      run();
      await settled();
      if (isOver()) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, entry)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      let child = heap[below];
      const other = heap[below + 1];
      if (other !== undefined && child !== undefined && isBefore(other, child)) {
        below += 1;
        child = other;
      }
      if (child === undefined || isBefore(last, child)) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Asked for in a promise's turn, Node's next tick comes only when no promise has anything left to do. */
async function settled(): Promise<void> {
  await null;
  await new Promise<void>((resolve) => process.nextTick(resolve));
}
