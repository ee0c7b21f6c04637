/**
 * One long answer, written line by line to somebody who may be slow.
 *
 * Invariant: nothing is written while the connection is full, so memory is bounded by the socket's own buffer; whoever
 * doesn't drain it within the time given is cut off. What to keep or leave out meanwhile is the writer's user's to say.
 */
import type { ServerResponse } from 'node:http';

export interface StreamLimits {
  readonly drainWithinMs: number;
  /** Between signs of life. */
  readonly heartbeatMs: number;
  /** Streams of one kind that one identity may hold; the oldest has to go. Its node may have lost it without a word. */
  readonly perIdentity: number;
}

export const defaultStreamLimits: StreamLimits = { drainWithinMs: 10_000, heartbeatMs: 900, perIdentity: 16 };

export class StreamWriter {
  readonly #response: ServerResponse;
  #blockedAtMs: number | null = null;
  #isOver = false;

  constructor(response: ServerResponse, onReady: () => void, onOver: () => void) {
    this.#response = response;
    response.on('drain', () => {
      this.#blockedAtMs = null;
      onReady();
    });
    response.on('close', () => {
      this.#isOver = true;
      onOver();
    });
    response.on('error', () => {
      // 'close' follows, and says all there is to say
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
  }

  get isReady(): boolean {
    return this.#blockedAtMs === null && !this.#isOver;
  }

  /** Only while it is ready. */
  write(lines: string | Buffer): void {
    if (!this.#response.write(lines)) this.#blockedAtMs = performance.now();
  }

  /** Cuts it off when it has been full for too long. */
  check({ drainWithinMs }: Pick<StreamLimits, 'drainWithinMs'>): void {
    if (this.#blockedAtMs !== null && performance.now() - this.#blockedAtMs > drainWithinMs) this.cut();
  }

  end(): void {
    this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }
}
