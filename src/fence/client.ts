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

export function createFence(options: FenceProgram, clock: Clock): Fence {
  let current: Promise<Socket> | null = null;
  let waiting: Waiting[] = [];

  const lost = (because: string): void => {
    current = null;
    const all = waiting;
    waiting = [];
    for (const one of all) one.fail(new UnderstudyError('FENCE_UNREACHABLE', because));
  };

  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(options.socket);
      let buffered = '';
      socket.setEncoding('utf8');
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
      socket.on('close', () => lost('the fence is gone'));
      socket.on('data', (text: string) => {
        buffered += text;
        for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
          const answer = answerSchema.safeParse(JSON.parse(buffered.slice(0, end)));
          buffered = buffered.slice(end + 1);
          const first = waiting.shift();
          if (answer.success) first?.settle(answer.data);
          else first?.fail(new UnderstudyError('FENCE_UNREACHABLE', 'the fence answered with something else'));
        }
      });
    });

  const reach = async (): Promise<Socket> => {
    const found = await open().catch(() => null);
    if (found !== null) return found;
    const { program, socket, data, memory, logFile } = options;
    await startDaemon(process.execPath, [...nodeFlags, program, socket, data(), memory], { cwd: '/', logFile });
    const until = clock.boottimeMs() + startWithinMs;
    for (;;) {
      const started = await open().catch(() => null);
      if (started !== null) return started;
      if (clock.boottimeMs() >= until) throw new UnderstudyError('FENCE_UNREACHABLE', 'the fence did not start');
      await clock.sleep(pollMs);
    }
  };

  const ask = async (request: FenceRequest): Promise<Extract<Answer, { ok: true }>> => {
    current ??= reach();
    const socket = await current.catch((cause: unknown) => {
      current = null;
      throw new UnderstudyError('FENCE_UNREACHABLE', "the fence can't be reached", { cause });
    });
    const answer = await new Promise<Answer>((settle, fail) => {
      // Answers come in order: one that is late is nobody's, so the connection goes with it.
      const timer = setTimeout(() => socket.destroy(), answerWithinMs);
      const end =
        <T>(use: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          use(value);
        };
      waiting.push({ settle: end(settle), fail: end(fail) });
      socket.write(`${JSON.stringify(request)}\n`);
    });
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
        (socket) => socket.destroy(),
        () => undefined,
      );
      current = null;
    },
  };
}
