/**
 * Sends events, each once and in order: what there was, then what comes.
 *
 * Invariant: a follower misses none of the events kept, or is cut off; nobody reads a history with holes unknowingly.
 * An empty line each second says that the connection lives.
 */
import type { ServerResponse } from 'node:http';
import type { EventRecord } from '../events/catalogue.ts';
import type { AgentBackend } from './contract/backend.ts';
import { type StreamLimits, StreamWriter } from './stream-writer.ts';

/** Twice what an agent keeps. */
const queueLimit = 1_000;

export class EventStream {
  readonly #backend: AgentBackend;
  readonly #limits: StreamLimits;
  readonly #writers = new Set<StreamWriter>();

  constructor(backend: AgentBackend, limits: StreamLimits) {
    this.#backend = backend;
    this.#limits = limits;
  }

  follow(after: number, isAllowed: () => boolean, response: ServerResponse): void {
    const queue: string[] = [];
    const pump = (): void => {
      if (queue.length === 0 || !writer.isReady) return;
      writer.write(queue.join(''));
      queue.length = 0;
    };
    const writer = new StreamWriter(response, pump, () => {
      stop();
      clearInterval(heartbeat);
      this.#writers.delete(writer);
    });
    this.#writers.add(writer);
    // Nothing can happen between the two: there is no wait.
    queue.push(...this.#backend.events(after).map(lineOf));
    const stop = this.#backend.onEvent((event) => {
      queue.push(lineOf(event));
      if (queue.length > queueLimit) writer.cut();
      else pump();
    });
    const heartbeat = setInterval(() => {
      if (!isAllowed()) writer.cut();
      else if (writer.isReady) writer.write('\n');
      else writer.check(this.#limits);
    }, this.#limits.heartbeatMs).unref();
    pump();
  }

  close(): void {
    for (const writer of this.#writers) writer.end();
  }
}

export function lineOf(event: EventRecord): string {
  return `${JSON.stringify(event)}\n`;
}
