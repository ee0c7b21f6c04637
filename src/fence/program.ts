/**
 * How a fence is started, and how one that does not answer is taken away.
 *
 * Started under flock(1), which locks the fence's memory and then becomes the fence (`--no-fork`): the lock is the
 * kernel's and ends with the process. Any number may be started at once; all but one end after a second.
 */
import { closeSync, openSync } from 'node:fs';
import { type Daemon, startDaemon } from '../process/daemon.ts';
import { ownProcesses, type ProcessIdentity, readCommandLine } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import type { FenceArguments } from './wire.ts';

export interface FenceProgram extends Omit<FenceArguments, 'data' | 'watchdog'> {
  /** Asked when a fence is started: the spec may name another directory than the node file. */
  readonly data: () => string;
  /** The program's file, run by this very Node. */
  readonly program: string;
  readonly logFile: string;
  /** The device of a hardware watchdog, if this host has one. */
  readonly watchdog?: string | null;
}

/** flock(1)'s exit code when another holds the lock; none of Node's own. */
export const lockedExit = 75;

/**
 * It holds a few numbers, and its heap must never make it the first to be killed. Measured on Node 20 (adr/0008): what
 * costs are threads and the heap's reserve; --jitless, --lite-mode and --single-threaded save nothing more.
 */
const nodeFlags = ['--max-old-space-size=32', '--max-semi-space-size=1', '--v8-pool-size=0'];

/** Nothing of the agent's environment but where programs are: no debugger, preload or option of whoever started it. */
const environment = { PATH: '/usr/bin:/bin', LANG: 'C', UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1' };

/** Throws PROCESS_FAILED. */
export async function startFenceProgram(options: FenceProgram): Promise<Daemon> {
  const { socket, memory, program, logFile, watchdog } = options;
  // flock(1) would make it readable for all, and whoever can read it can lock it.
  closeSync(openSync(memory, 'a', 0o600));
  const lock = ['--wait', '1', '--no-fork', '--conflict-exit-code', String(lockedExit), memory];
  const fence = [process.execPath, ...nodeFlags, program, socket, options.data(), memory];
  const device = watchdog === undefined || watchdog === null ? [] : [watchdog];
  return await startDaemon('flock', [...lock, ...fence, ...device], { cwd: '/', env: environment, logFile });
}

/**
 * Kills every fence that has that memory and that socket, whatever its version and however it is: one that answers
 * nobody guards nothing. The next one goes on with its deadline. Found by their arguments and not by what the memory
 * says: an older fence wrote nothing of itself there, and a new one may not have got so far. Answers whom it killed;
 * they take a moment to go.
 */
export function killFence({ memory, socket }: Pick<FenceProgram, 'memory' | 'socket'>): readonly ProcessIdentity[] {
  const found = ownProcesses((pid) => {
    const line = readCommandLine(pid);
    const at = line.lastIndexOf(socket);
    return at > 0 && line[at + 2] === memory;
  });
  for (const one of found) sendSignal(one, 'SIGKILL');
  return found;
}
