/**
 * Cuts a stream of bytes into messages of PostgreSQL's protocol 3 (documentation 55.7). Pure.
 *
 * Invariant: however the bytes are split or merged on their way, the same messages come out, in order. A length that no
 * message can have is an error at once, not a wait for bytes that never come.
 */

/** `startup`: the client's first messages, which have no type. */
export type FrameKind = 'startup' | 'message';

export interface Frame {
  /** One character; '' at start-up. */
  readonly type: string;
  /** Without type and length. */
  readonly body: Buffer;
  /** As it came. */
  readonly bytes: Buffer;
}

/** Nobody speaks the protocol there. */
export class WireError extends Error {}

/** As in PostgreSQL (src/include/libpq/pqcomm.h). */
const longestStartup = 10_000;
const longestMessage = 0x3fffffff;
const lengthBytes = 4;

export class FrameReader {
  #chunks: Buffer[] = [];
  #held = 0;

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** `null`: there is no whole message yet. Throws WireError. */
  next(kind: FrameKind): Frame | null {
    const typeBytes = kind === 'startup' ? 0 : 1;
    const headBytes = typeBytes + lengthBytes;
    if (this.#held < headBytes) return null;
    const head = this.#first(headBytes);
    const length = head.readInt32BE(typeBytes);
    if (length < lengthBytes || length > (kind === 'startup' ? longestStartup : longestMessage)) {
      throw new WireError(`a message of ${length} bytes`);
    }
    const whole = typeBytes + length;
    if (this.#held < whole) return null;
    const bytes = this.#first(whole).subarray(0, whole);
    this.#drop(whole);
    return { type: bytes.toString('latin1', 0, typeBytes), body: bytes.subarray(headBytes), bytes };
  }

  /** At least so many bytes in one piece. Pieces are joined only when a whole head or message is there. */
  #first(wanted: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= wanted) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #drop(count: number): void {
    const [first] = this.#chunks;
    if (first === undefined) return;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    this.#held -= count;
  }
}
