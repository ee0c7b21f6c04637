/**
 * The fence itself: a process of its own beside the agent, small, with nothing to wait for.
 *
 * It looks at the boottime clock every `tickMs` (a timer alone would stand still in suspend) and at the deadline kills
 * every process that works in the data directory, again and again until none is left: killing the postmaster is not
 * enough, since a running backend goes on committing. It never asks anybody, and survives its agent. Its deadline is
 * also kept in a file, so that a fence started after its death goes on with it; the file of another boot says nothing.
 *
 * Only one fence serves a socket: whoever finds it answered ends itself.
 */
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { startDaemon } from '../process/daemon.ts';
import { type ProcessIdentity, processesIn } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import { drop, extend, mayWrite, mustKill, unarmed, type Warden } from './warden.ts';
import type { FenceAnswer, FenceArguments } from './wire.ts';

const tickMs = 50;
const probeMs = 500;

const identity = z.object({ pid: z.int().min(2), startTicks: z.int() });
const requestSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('extend'), term: z.int().min(1), atMs: z.number() }),
  z.object({ do: z.literal('drop') }),
  z.object({
    do: z.literal('start'),
    start: z.object({
      program: z.string(),
      args: z.array(z.string()),
      directory: z.string(),
      environment: z.record(z.string(), z.string()),
      logFile: z.string(),
    }),
  }),
  z.object({ do: z.literal('promote'), postmaster: identity }),
]);
const memorySchema = z.object({
  boot: z.string(),
  highestTerm: z.int(),
  deadline: z.object({ term: z.int(), atMs: z.number() }).nullable(),
});

const clock = createLinuxClock();
const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

function remembered(path: string): Warden {
  try {
    const { boot: of, highestTerm, deadline } = memorySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return of === boot ? { highestTerm, deadline } : unarmed;
  } catch {
    return unarmed; // none yet, or torn by a power failure, which nothing of that boot survived
  }
}

/** Runs until SIGTERM. */
export async function runFence(args: FenceArguments): Promise<void> {
  if (await isServed(args.socket)) return;
  let warden = remembered(args.memory);
  const keep = (next: Warden): void => {
    warden = next;
    try {
      const temporary = `${args.memory}.next`;
      writeFileSync(temporary, JSON.stringify({ boot, ...next }), { mode: 0o600 });
      renameSync(temporary, args.memory);
    } catch {
      // A full disk must not end a healthy primary. A fence that comes after this one must not take an old deadline for
      // the present one; without any it lets nothing start.
      rmSync(args.memory, { force: true });
    }
  };

  const perform = async (line: string): Promise<FenceAnswer> => {
    const request = requestSchema.parse(JSON.parse(line));
    switch (request.do) {
      case 'extend': {
        const answer = extend(warden, request.term, request.atMs);
        if (!answer.ok) return { ok: false, because: answer.because };
        keep(answer.warden);
        return { ok: true };
      }
      case 'drop':
        keep(drop(warden));
        return { ok: true };
      case 'start': {
        const may = mayWrite(warden, clock.boottimeMs());
        if (!may.ok) return { ok: false, because: may.because };
        const { program, args: argv, directory, environment, logFile } = request.start;
        const { pid, startTicks } = await startDaemon(program, argv, { cwd: directory, env: environment, logFile });
        return { ok: true, process: { pid, startTicks } };
      }
      case 'promote':
        return promote(args.data, warden, request.postmaster);
      default:
        return unreachable(request);
    }
  };

  rmSync(args.socket, { force: true });
  const server = createServer((socket) => serve(socket, perform));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(args.socket, resolve);
  });
  chmodSync(args.socket, 0o600);
  const ticking = setInterval(() => {
    if (!mustKill(warden, clock.boottimeMs())) return;
    for (const process of processesIn(args.data)) sendSignal(process, 'SIGKILL');
  }, tickMs);
  await new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  clearInterval(ticking);
  server.close();
  process.exit(0);
}

/** As pg_promote() does it: the signal file, then SIGUSR1 to the postmaster (documentation 9.27.4). */
function promote(data: string, warden: Warden, postmaster: ProcessIdentity): FenceAnswer {
  writeFileSync(join(data, 'promote'), '', { mode: 0o600 });
  const may = mayWrite(warden, clock.boottimeMs());
  const sent = may.ok ? sendSignal(postmaster, 'SIGUSR1') : null;
  if (sent === 'sent') return { ok: true };
  rmSync(join(data, 'promote'), { force: true });
  return { ok: false, because: may.ok ? 'the server is gone' : may.because };
}

function serve(socket: Socket, perform: (line: string) => Promise<FenceAnswer>): void {
  let buffered = '';
  let before: Promise<void> = Promise.resolve();
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', (text: string) => {
    buffered += text;
    for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
      const line = buffered.slice(0, end);
      buffered = buffered.slice(end + 1);
      before = before.then(async () => {
        const answer = await perform(line).catch(
          (error: unknown): FenceAnswer => ({ ok: false, because: error instanceof Error ? error.message : 'failed' }),
        );
        socket.write(`${JSON.stringify(answer)}\n`);
      });
    }
  });
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.setTimeout(probeMs, () => settle(true)); // frozen, perhaps; but it is there
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function unreachable(value: never): never {
  throw new Error(`not a known request: ${JSON.stringify(value)}`);
}
