/**
 * Writes this agent's events to the store, one after another, beside the loop.
 *
 * Invariant: an event never delays a decision. Events wait in memory while the store is away or a switchover is under
 * way, and the oldest are dropped when too many wait; the log has them all.
 */
import type { NodeName } from '../core/spec.ts';
import { describeError } from '../errors/understudy-error.ts';
import { type EventFacts, type EventName, type EventRecord, eventSentence } from '../events/catalogue.ts';
import type { Clock } from '../ports/clock.ts';
import type { StoreWrite } from '../ports/store.ts';
import { encodeRecord } from '../records/codecs.ts';
import { eventKey } from '../records/keys.ts';
import type { ActionLog } from './execution-context.ts';
import type { StoreMirror } from './store-mirror.ts';

/** Events kept in the store; each write removes what is older. */
export const eventsKept = 500;
const waitingAtMost = 200;
const writeWithinMs = 2_000;
const retryAfterMs = 1_000;
/** While a switchover moves, the store has better things to do. */
const busyPauseMs = 250;

export class EventWriter {
  readonly #self: NodeName;
  readonly #mirror: StoreMirror;
  readonly #clock: Clock;
  readonly #log: ActionLog;
  readonly #signal: AbortSignal;
  readonly #isBusy: () => boolean;
  readonly #waiting: Omit<EventRecord, 'sequence'>[] = [];
  #writing: Promise<void> | null = null;

  constructor(parts: {
    self: NodeName;
    mirror: StoreMirror;
    clock: Clock;
    log: ActionLog;
    signal: AbortSignal;
    isBusy: () => boolean;
  }) {
    this.#self = parts.self;
    this.#mirror = parts.mirror;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#signal = parts.signal;
    this.#isBusy = parts.isBusy;
  }

  emit(name: EventName, facts: EventFacts): void {
    const event = { at: this.#clock.wallClock().toISOString(), node: this.#self, name, facts };
    this.#log.info({ event: name, ...facts }, eventSentence(event));
    this.#waiting.push(event);
    if (this.#waiting.length > waitingAtMost) this.#waiting.shift();
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#signal.aborted) {
      if (this.#isBusy()) {
        await this.#pause(busyPauseMs);
        continue;
      }
      const [event] = this.#waiting;
      if (event === undefined) return;
      try {
        if (this.#isWritten(event) || (await this.#write(event))) this.#waiting.shift();
      } catch (error) {
        this.#log.warn({ because: describeError(error) }, 'an event could not be written to the store');
        await this.#pause(retryAfterMs);
      }
    }
  }

  /** A write that was not answered may have happened. */
  #isWritten({ at, node, name, facts }: Omit<EventRecord, 'sequence'>): boolean {
    const text = JSON.stringify(facts);
    return this.#mirror.image.events.some((one) => {
      return one.at === at && one.node === node && one.name === name && JSON.stringify(one.facts) === text;
    });
  }

  async #write(event: Omit<EventRecord, 'sequence'>): Promise<boolean> {
    const { events } = this.#mirror.image;
    const sequence = (events.at(-1)?.sequence ?? 0) + 1;
    const key = eventKey(sequence);
    const removals = events
      .filter((old) => old.sequence <= sequence - eventsKept)
      .map((old): StoreWrite => ({ key: eventKey(old.sequence), remove: true }));
    const writes: StoreWrite[] = [{ key, value: encodeRecord('event', { sequence, ...event }) }, ...removals];
    const result = await this.#mirror.transact([{ key, revision: 'absent' }], writes, {
      withinMs: writeWithinMs,
      signal: this.#signal,
    });
    return result.committed;
  }

  async #pause(ms: number): Promise<void> {
    await this.#clock.sleep(ms, this.#signal).catch(() => undefined);
  }
}
