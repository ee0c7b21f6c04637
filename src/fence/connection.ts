/**
 * One connection to a fence: requests in order, each with a time limit.
 *
 * Invariant: answers come in order, so one that is late is nobody's: the connection ends with it, and whoever waits on
 * it is told. Knows nothing of what is asked.
 */
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type FenceRequest, longestLine } from './wire.ts';

const identity = z.object({ pid: z.int(), startTicks: z.int() });
const status = z.object({
  protocol: z.int(),
  process: identity,
  highestTerm: z.int(),
  deadline: z.object({ term: z.int(), atMs: z.number(), confirmed: z.boolean() }).nullable(),
  striking: z.string().nullable(),
  struck: z.object({ because: z.string(), goneAtMs: z.number(), killed: z.int() }).nullable(),
  server: z.enum(['none', 'standby', 'primary', 'remnants']),
  watchdog: z.enum(['none', 'resting', 'armed', 'failed']),
  oomScore: z.int(),
});
const answerSchema = z.union([
  z.object({ ok: z.literal(true), process: identity.optional(), status: status.optional() }),
  z.object({ ok: z.literal(false), because: z.string() }),
]);

export type Answer = z.infer<typeof answerSchema>;

interface Waiting {
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

export class FenceConnection {
  readonly #socket: Socket;
  readonly #onLost: (because: string) => void;
  #waiting: Waiting[] = [];
  #buffered = '';
  #because: string | null = null;
  #isHungUp = false;

  /** `onLost` is called once, unless it was `end` that closed it. */
  constructor(socket: Socket, onLost: (because: string) => void) {
    this.#socket = socket;
    this.#onLost = onLost;
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#isHungUp = this.#because === null;
      this.#lose('the fence is gone', true);
    });
    socket.on('data', (text: string) => this.#read(text));
  }

  get isOpen(): boolean {
    return this.#because === null;
  }

  /** The other end closed it: nobody is there any more. */
  get isHungUp(): boolean {
    return this.#isHungUp;
  }

  /** Throws FENCE_UNREACHABLE when there is no answer within that time, in ms; then the connection is lost. */
  ask(request: FenceRequest, withinMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#because !== null) {
        reject(new UnderstudyError('FENCE_UNREACHABLE', this.#because));
        return;
      }
      const timer = setTimeout(() => this.#lose('the fence did not answer in time', true), withinMs);
      this.#waiting.push({
        settle: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  end(because: string): void {
    this.#lose(because, false);
  }

  #lose(because: string, unexpected: boolean): void {
    if (this.#because !== null) return;
    this.#because = because;
    this.#socket.destroy();
    const all = this.#waiting;
    this.#waiting = [];
    for (const one of all) one.fail(new UnderstudyError('FENCE_UNREACHABLE', because));
    if (unexpected) this.#onLost(because);
  }

  #read(text: string): void {
    this.#buffered += text;
    for (let end = this.#buffered.indexOf('\n'); end >= 0; end = this.#buffered.indexOf('\n')) {
      const answer = parseAnswer(this.#buffered.slice(0, end));
      this.#buffered = this.#buffered.slice(end + 1);
      if (answer === null) this.#lose('the fence answered with something else', true);
      else this.#waiting.shift()?.settle(answer);
    }
    if (this.#buffered.length > longestLine) this.#lose('the fence answered with something else', true);
  }
}

function parseAnswer(line: string): Answer | null {
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** `null`: nobody listens there. */
export function openConnection(
  path: string,
  onLost: (because: string, connection: FenceConnection) => void,
): Promise<FenceConnection | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const failed = (): void => resolve(null);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      const connection = new FenceConnection(socket, (because) => onLost(because, connection));
      resolve(connection);
    });
  });
}
