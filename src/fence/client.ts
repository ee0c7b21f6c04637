/**
 * The agent's end of the fence: starts one where none answers, and asks it.
 *
 * Invariant: what was not confirmed within its time did not happen as far as the agent knows, so a renewal without a
 * fence never counts. After a lost connection the next call starts or finds a fence first.
 */
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Fence } from '../ports/fence.ts';
import { startDaemon } from '../process/daemon.ts';
import type { FenceArguments, FenceRequest } from './wire.ts';

const answerWithinMs = 500;
const startWithinMs = 3_000;
const pollMs = 5;

const answerSchema = z.union([
  z.object({ ok: z.literal(true), process: z.object({ pid: z.int(), startTicks: z.int() }).optional() }),
  z.object({ ok: z.literal(false), because: z.string() }),
]);
type Answer = z.infer<typeof answerSchema>;

interface Waiting {
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

export interface FenceProgram extends Omit<FenceArguments, 'data'> {
  /** Asked when a fence is started: the spec may name another directory than the node file. */
  readonly data: () => string;
  /** The program's file, run by this very Node. */
  readonly program: string;
  readonly logFile: string;
}

/** Small: it holds a number, and its heap must never make it the first to be killed. */
const nodeFlags = ['--max-old-space-size=32', '--max-semi-space-size=1', '--v8-pool-size=0'];

/** One connection; whoever waits for an answer on it fails with it. */
class FenceConnection {
  readonly #socket: Socket;
  #waiting: Waiting[] = [];
  #buffered = '';
  #because: string | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#lost('the fence is gone'));
    socket.on('data', (text: string) => this.#read(text));
  }

  get isOpen(): boolean {
    return this.#because === null;
  }

  ask(request: FenceRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#because !== null) {
        reject(new UnderstudyError('FENCE_UNREACHABLE', this.#because));
        return;
      }
      // Answers come in order: one that is late is nobody's, so the connection goes with it.
      const timer = setTimeout(() => this.close('the fence did not answer in time'), answerWithinMs);
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

  close(because: string): void {
    this.#lost(because);
    this.#socket.destroy();
  }

  #lost(because: string): void {
    this.#because ??= because;
    const all = this.#waiting;
    this.#waiting = [];
    for (const one of all) one.fail(new UnderstudyError('FENCE_UNREACHABLE', this.#because));
  }

  #read(text: string): void {
    this.#buffered += text;
    for (let end = this.#buffered.indexOf('\n'); end >= 0; end = this.#buffered.indexOf('\n')) {
      const answer = parseAnswer(this.#buffered.slice(0, end));
      this.#buffered = this.#buffered.slice(end + 1);
      const first = this.#waiting.shift();
      if (answer === null) this.close('the fence answered with something else');
      else first?.settle(answer);
    }
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
function open(path: string): Promise<FenceConnection | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(new FenceConnection(socket)));
    socket.once('error', () => resolve(null));
  });
}

export function createFence(options: FenceProgram, clock: Clock): Fence {
  let current: Promise<FenceConnection> | null = null;

  const reach = async (): Promise<FenceConnection> => {
    const found = await open(options.socket);
    if (found !== null) return found;
    const { program, socket, data, memory, logFile } = options;
    await startDaemon(process.execPath, [...nodeFlags, program, socket, data(), memory], { cwd: '/', logFile });
    const until = clock.boottimeMs() + startWithinMs;
    for (;;) {
      const started = await open(socket);
      if (started !== null) return started;
      if (clock.boottimeMs() >= until) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence did not start');
      await clock.sleep(pollMs);
    }
  };

  const connection = async (): Promise<FenceConnection> => {
    const before = await current?.catch(() => null);
    if (before?.isOpen === true) return before;
    current = reach();
    return await current;
  };

  const ask = async (request: FenceRequest): Promise<Extract<Answer, { ok: true }>> => {
    const answer = await (await connection()).ask(request);
    if (!answer.ok) throw new UnderstudyError('REFUSED', `the fence refuses: ${answer.because}`);
    return answer;
  };

  return {
    async extend(term, deadlineMs) {
      await ask({ do: 'extend', term, atMs: deadlineMs });
    },
    async drop() {
      await ask({ do: 'drop' });
    },
    async startPrimary(start) {
      const { process: started } = await ask({ do: 'start', start });
      if (started === undefined) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence named no process');
      return started;
    },
    async promote(postmaster) {
      await ask({ do: 'promote', postmaster });
    },
    close() {
      current?.then(
        (one) => one.close('the agent has let go of its fence'),
        () => undefined,
      );
    },
  };
}
